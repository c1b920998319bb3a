"""Countries, and what makes a transfer of personal data to them lawful (GDPR chapter V).

The facts are dated and ship as `data/adequacy.toml`; a policy replaces them with its `adequacy_file`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from consentkit.policy.findings import invalid

__all__ = [
    "COUNTRIES",
    "EU_TERRITORIES",
    "SAFEGUARDS",
    "AdequacyDecision",
    "Condition",
    "Country",
    "Safeguard",
    "SafeguardName",
    "TransferData",
    "normalize_country",
    "shipped_transfer_data",
]

_CODES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN
    IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE
    YT ZA ZM ZW
"""
COUNTRIES = frozenset(_CODES.split())
"""The 249 codes of ISO 3166-1 alpha-2."""

EU_TERRITORIES = frozenset(("AX", "GF", "GP", "MF", "MQ", "RE", "YT"))
"""Territories of the European Union with a country code of their own; `adequacy_file` can add them to the EEA."""

_ALIASES = {"EL": "GR", "UK": "GB"}

SafeguardName = Literal[
    "none_required",
    "adequacy",
    "scc",
    "scc_authority",
    "bcr",
    "code_of_conduct",
    "certification",
    "ad_hoc_clauses",
    "art49_explicit_consent",
]
Condition = Literal["dpf_certified", "commercial_org"]


def _validated_country(value: str) -> str:
    code = normalize_country(value)
    if code not in COUNTRIES:
        raise invalid(
            "Not a country code of ISO 3166-1.", 'Write two capital letters, such as "NL", "US" or "GB".'
        )
    return code


Country = Annotated[
    str,
    AfterValidator(_validated_country),
    Field(description="ISO 3166-1 alpha-2 code, such as NL.", json_schema_extra={"pattern": "^[A-Z]{2}$"}),
]


@dataclass(frozen=True, slots=True)
class Safeguard:
    """A legal ground on which personal data may leave the EEA.

    Attributes:
        articles: of the GDPR.
        iri: the term of the Data Privacy Vocabulary 2.3.
        needs_copy: whether visitors must be told where to read the safeguard or get a copy (GDPR 13(1)(f)).
    """

    name: str
    label: str
    articles: tuple[str, ...]
    iri: str | None
    needs_copy: bool


_DPV = "https://w3id.org/dpv/legal/eu/gdpr#"
SAFEGUARDS: Mapping[str, Safeguard] = MappingProxyType(
    {
        row.name: row
        for row in (
            Safeguard("none_required", "Within the EEA", (), None, False),
            Safeguard("adequacy", "Adequacy decision", ("45(3)",), f"{_DPV}A45-3", False),
            Safeguard("scc", "Standard contractual clauses", ("46(2)(c)",), f"{_DPV}A46-2-c", True),
            Safeguard(
                "scc_authority",
                "Standard contractual clauses of a supervisory authority",
                ("46(2)(d)",),
                f"{_DPV}A46-2-d",
                True,
            ),
            Safeguard("bcr", "Binding corporate rules", ("46(2)(b)", "47"), f"{_DPV}A46-2-b", True),
            Safeguard("code_of_conduct", "Code of conduct", ("46(2)(e)",), f"{_DPV}A46-2-e", True),
            Safeguard("certification", "Certification", ("46(2)(f)",), f"{_DPV}A46-2-f", True),
            Safeguard(
                "ad_hoc_clauses", "Contract approved by an authority", ("46(3)(a)",), f"{_DPV}A46-3-a", True
            ),
            Safeguard("art49_explicit_consent", "Explicit consent", ("49(1)(a)",), f"{_DPV}A49-1-a", False),
        )
    }
)
"""All safeguards by name, strongest first."""


class AdequacyDecision(BaseModel):
    """A decision of the European Commission that a country protects personal data adequately (GDPR 45)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    country: Country
    begins: date = Field(alias="from")
    ends: date | None = Field(default=None, alias="until")
    condition: Condition | None = None
    scope: str | None = None
    contested: str | None = None

    def in_force(self, on: date) -> bool:
        """Return whether the decision applies on a day, its first and its last day included."""
        return self.begins <= on and (self.ends is None or on <= self.ends)


class TransferData(BaseModel):
    """The countries of the EEA and the adequacy decisions, as known on the day `as_of`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    as_of: date
    eea: Annotated[tuple[Country, ...], Field(strict=False, min_length=1)]
    decisions: Annotated[tuple[AdequacyDecision, ...], Field(strict=False)] = ()
    _members: frozenset[str] = PrivateAttr(default=frozenset())

    def model_post_init(self, context: object) -> None:
        """Build the set of countries that `in_eea` reads."""
        self._members = frozenset(self.eea)

    @model_validator(mode="after")
    def _is_consistent(self) -> "TransferData":
        for decision in self.decisions:
            if decision.ends is not None and decision.ends < decision.begins:
                raise invalid(
                    f"The decision for {decision.country} ends before it begins.", "Correct its dates."
                )
        return self

    def in_eea(self, country: str) -> bool:
        """Return whether data in this country stays within the EEA."""
        return normalize_country(country) in self._members

    def decision(self, country: str, on: date) -> AdequacyDecision | None:
        """Return the decision that is in force for a country on a day, or None."""
        code = normalize_country(country)
        matching = (
            decision for decision in self.decisions if decision.country == code and decision.in_force(on)
        )
        return next(matching, None)

    def decisions_for(self, country: str) -> tuple[AdequacyDecision, ...]:
        """Return all decisions for a country, in force or not."""
        code = normalize_country(country)
        return tuple(decision for decision in self.decisions if decision.country == code)


def normalize_country(code: str) -> str:
    """Return the ISO 3166-1 code of a country, also for EL and UK, which only the European Union uses."""
    return _ALIASES.get(code, code)


@cache
def shipped_transfer_data() -> TransferData:
    """Read the list that ships with the package."""
    text = files("consentkit.policy").joinpath("data/adequacy.toml").read_text("utf-8")
    return TransferData.model_validate(tomllib.loads(text))
