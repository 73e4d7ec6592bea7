"""The evidence page: what the card rests on, who recommends it, what is in doubt, and how the rule decides.

It answers to a hospital's review committee (FDA guidance on decision support, criterion 4: a clinician can review the
basis independently; 45 CFR 170.315(b)(11)(iv)(A): the source attributes; GUIDES 2.1). It is made of `cards/` and the
site's choices, once when the service starts, and knows of no patient. It does not say whether the review date has
passed: a page made at the start would go on saying so, or not, for as long as the service runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cds_service.clinical.rules.rule import Rule
from cds_service.content.caution_model import Caution
from cds_service.content.evidence_base import Proportion
from cds_service.content.model import Content, OverrideReason
from cds_service.plots.svg import Figures, Range, Value, bar_chart, table
from cds_service.settings import Settings
from cds_service.web.pages import capital, page

# The source attributes under the names and numbers of 45 CFR 170.315(b)(11)(iv)(A), for those who paste them.
SOURCE_ATTRIBUTES = {
    "citation": "Bibliographic citation of the intervention",
    "developer": "Developer of the intervention",
    "funding": "Funding source of the technical implementation",
    "release_and_revision_dates": "Release date and, where applicable, revision dates",
    "use_of_race": "Use of race",
    "use_of_ethnicity": "Use of ethnicity",
    "use_of_language": "Use of language",
    "use_of_sexual_orientation": "Use of sexual orientation",
    "use_of_gender_identity": "Use of gender identity",
    "use_of_sex": "Use of sex",
    "use_of_date_of_birth": "Use of date of birth",
    "use_of_social_determinants_of_health": "Use of social determinants of health data",
    "use_of_health_status_assessments": "Use of health status assessments data",
}

# Which kind of card offers a reason.
_OFFERED_ON = {
    "": "Every card",
    "imaging-advised": "Cards that propose imaging",
    "no-symptoms": "Advice against imaging",
}


def front_html(rule: Rule) -> str:
    """The short page at `/`: what this is, and where to go from here."""
    return page(
        "front.html.jinja",
        current="/",
        rule=rule.content.rule,
        services={service.id: service for service in rule.services},
    )


# Made once for each content, not for each application.
@lru_cache(maxsize=4)
def evidence_html(rule: Rule) -> str:
    """The page at `/evidence`.

    Args:
        rule: with its content, and the choices of the site; thresholds are shown as they count here.
    """
    content, choices = rule.content, rule.choices
    figures = _figures(content)
    return page(
        "evidence.html.jinja",
        current="/evidence",
        content=content,
        rule=content.rule,
        evidence_base=content.evidence_base,
        choices=choices,
        recommendations=[statement for statement in content.evidence if statement.by],
        facts=[statement for statement in content.evidence if not statement.by],
        chart=bar_chart(figures),
        chart_table=table(figures),
        thresholds=_thresholds(content, choices),
        settings=_settings(content, choices),
        capital=capital,
        orders=content.orders.values(),
        system_name=content.terminology.system_name,
        cautions=[(capital(caution.name), caution_effect(caution)) for caution in content.cautions.cautions],
        attributes=[(name, content.source_attributes[key]) for key, name in SOURCE_ATTRIBUTES.items()],
        reasons=[(reason, _OFFERED_ON[reason.only_for], reason_effect(reason)) for reason in content.override_reasons],
        code_sets=len(content.terminology.value_sets),
        codes=sum(len(value_set.concepts) for value_set in content.terminology.value_sets.values()),
    )


def _figures(content: Content) -> Figures:
    accuracy = content.evidence_base.accuracy
    return Figures(
        name="accuracy",
        title=accuracy.title,
        of="Study",
        series=("Sensitivity", "Specificity"),
        rows=[(item.name, (_value(item.sensitivity), _value(item.specificity))) for item in accuracy.modalities],
        unit="%",
        top=100,
        decimals=1,
    )


def _value(proportion: Proportion) -> Value:
    return Range(proportion.percent, *proportion.interval) if proportion.interval else proportion.percent


def _thresholds(content: Content, choices: Mapping[str, object]) -> list[tuple[str, int, object, str, str]]:
    """Name, value of the content, value in use here, why, and source of every threshold."""
    return [
        (name, value, choices.get(name, value), reason.why, reason.source)
        for name, value in content.rule.thresholds.items()
        for reason in [content.rule.threshold_reasons[name]]
    ]


def _settings(content: Content, choices: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Name, value as a setting is written, and meaning of every choice of the site that is no threshold."""
    names = [name for name in choices if name not in content.rule.thresholds]
    # The descriptions are Markdown, of which they use no more than marks for code.
    meanings = {name: (Settings.model_fields[name].description or "").replace("`", "") for name in names}
    return [(name, str(choices[name]).lower(), meanings[name]) for name in names]


def caution_effect(caution: Caution) -> str:
    """What a caution does to the orders, as one sentence."""
    effects = []
    if caution.without_contrast:
        effects.append(f"{_listed(caution, caution.without_contrast)} without contrast")
    if caution.withdraws:
        effects.append(f"{_listed(caution, caution.withdraws)} not proposed")
    if not effects:
        return f"Said beside the {_listed(caution, frozenset(caution.concerns))}."
    return capital(f"{'; '.join(effects)}.")


def _listed(caution: Caution, modalities: frozenset[str]) -> str:
    """Modalities in the order in which the caution names them."""
    return " and ".join(name for name in caution.concerns if name in modalities)


def reason_effect(reason: OverrideReason) -> str:
    """What an answer does beyond being counted, as a sentence; empty where it does nothing more."""
    if not reason.keeps_away:
        return ""
    evidence = f"newer evidence of {' or '.join(sorted(reason.back_with))}"
    if reason.days is None:
        return f"Keeps the card away until {evidence} is recorded."
    days = "1 day" if reason.days == 1 else f"{reason.days} days"
    return f"Keeps the card away for {days}, or until {evidence} is recorded."
