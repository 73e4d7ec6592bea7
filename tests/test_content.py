"""The files of the content: each must be there, readable and well-formed, and each counts for the version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.load import content_folder
from tests.content_copies import RULE, refusal, replace_in

CONTENT = load_content()

VICTIM = "value-sets/physical-therapy.json"
# A site's content from before there were replays has none.
OPTIONAL = f"{RULE}/replay.toml"
TOML_FILES = sorted(path.relative_to(content_folder()).as_posix() for path in content_folder().rglob("*.toml"))


def test_an_untouched_copy_of_the_content_is_accepted(content_copy: Path) -> None:
    assert load_content(content_copy).digest == CONTENT.digest


def test_without_its_words_a_replay_has_general_ones(content_copy: Path) -> None:
    (content_copy / OPTIONAL).unlink()
    without = load_content(content_copy).replay
    assert without.words.disease == "the disease" and not without.figures
    assert CONTENT.replay.words.disease == "metastasis of bone or spinal cord" and CONTENT.replay.figures


def test_a_published_figure_that_stands_there_twice_is_named(content_copy: Path) -> None:
    path = content_copy / OPTIONAL
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text[text.rindex("[[figure]]") :], encoding="utf-8")
    assert str(refusal(content_copy)) == f"{OPTIONAL}: figure.id: 'wait-for-mri-and-result' stands there twice"


@pytest.mark.parametrize("file", [file for file in TOML_FILES if file != OPTIONAL])
def test_a_missing_file_is_named(content_copy: Path, file: str) -> None:
    (content_copy / file).unlink()
    assert str(refusal(content_copy)) == f"{file}: the file is missing"


def test_content_without_any_value_set_is_refused(content_copy: Path) -> None:
    shutil.rmtree(content_copy / "value-sets")
    assert refusal(content_copy).file == "value-sets"


@pytest.mark.parametrize("file", TOML_FILES)
def test_a_file_that_is_not_toml_is_named(content_copy: Path, file: str) -> None:
    with (content_copy / file).open("a", encoding="utf-8") as text:
        text.write("\nunfinished =\n")
    error = refusal(content_copy)
    assert error.file == file
    assert "not well-formed TOML" in str(error)


@pytest.mark.parametrize("file", [f"{RULE}/rule.toml", VICTIM])
def test_a_file_that_is_not_utf8_is_named(content_copy: Path, file: str) -> None:
    (content_copy / file).write_bytes(b'"\xff"')
    assert refusal(content_copy).file == file


@pytest.mark.parametrize("file", [f"{RULE}/rule.toml", VICTIM])
def test_a_file_that_cannot_be_read_is_named(content_copy: Path, file: str) -> None:
    (content_copy / file).unlink()
    (content_copy / file).mkdir()
    assert refusal(content_copy).file == file


def test_every_edit_of_the_content_gives_it_another_version(content_copy: Path) -> None:
    replace_in(content_copy, f"{RULE}/wording.toml", "new neck pain", "new pain in the neck")
    assert load_content(content_copy).version != CONTENT.version
