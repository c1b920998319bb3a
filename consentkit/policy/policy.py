"""The policy: everything that the owner of the sites declares, as one frozen object.

The models check each value by itself, and `checks` how the values fit together. `load_policy` runs both.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import Field, PrivateAttr

from consentkit.errors import UnknownCategoryError, UnknownIdError, UnknownSiteError, UnknownVendorError
from consentkit.policy.duration import Duration
from consentkit.policy.field_types import Language, Line, Many, SchemaVersion, Texts, normalize_language
from consentkit.policy.models import (
    Category,
    Controller,
    GdprBasis,
    Group,
    ProofBasis,
    Regimes,
    Right,
    Site,
    Table,
    Tracker,
    Vendor,
)
from consentkit.policy.regimes import Regime, RegimeData, shipped_regime_data
from consentkit.policy.transfers import Country, TransferData, shipped_transfer_data

__all__ = ["Policy", "PolicyData"]

_Row = TypeVar("_Row")
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Index:
    """The look-up tables of a policy, built once because every request reads them."""

    categories: dict[str, Category]
    vendors: dict[str, Vendor]
    sites: dict[str, Site]
    optional: tuple[Category, ...]
    consent_needed: tuple[Category, ...]
    vendors_of: Mapping[str, tuple[Vendor, ...]]
    trackers_of: Mapping[str, tuple[Tracker, ...]]
    trackers_of_vendor: Mapping[str | None, tuple[Tracker, ...]]
    honours_gpc: dict[str, bool]
    sells: dict[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyData:
    """The owner's own lists, in place of those that ship with the package."""

    transfers: TransferData | None = None
    regimes: RegimeData | None = None


class Policy(Table):
    """Everything that the owner declares. `load_policy` makes sure that ids are unique and that references lead somewhere."""

    schema_version: Annotated[SchemaVersion, Field(alias="schema")]
    """Version of this format."""
    languages: Annotated[Many[Language], Field(min_length=1)]
    """Languages that every text is written in, as BCP 47 tags; the first is the fallback."""
    validity: Duration
    """How long a decision is valid, whether granted or refused."""
    jurisdiction: Country
    """Country whose rules apply; of a country outside the EEA, those of the EEA."""
    records_kept: Duration
    """How long records are kept as proof after a decision has ended."""
    proof_basis: ProofBasis | None = None
    """Ground in GDPR 6(1) for keeping records; by default `"legal_obligation"`, because consent has to be proved (GDPR 7(1))."""
    rights: Many[Right] | None = None
    """Rights that visitors are told about (GDPR 13(2)(b)); by default all of them."""
    regimes: Regimes | None = None
    """Rules by place; without this table, the rules of `jurisdiction` for all."""
    regimes_file: Line | None = None
    """File in the policy's folder that replaces the shipped rules of places."""
    adequacy_file: Line | None = None
    """File in the policy's folder that replaces the shipped list of EEA countries and adequacy decisions."""
    controller: Controller
    """Who is responsible for the processing."""
    group: Group | None = None
    """Required with more than one site."""
    sites: Annotated[Many[Site], Field(min_length=1)]
    """Sites that one decision covers."""
    categories: Annotated[Many[Category], Field(min_length=1)]
    """Purposes, in the order of the page."""
    vendors: Many[Vendor] = ()
    """Third parties."""
    trackers: Many[Tracker] = ()
    """Everything that is stored or read."""

    _index: _Index = PrivateAttr()
    _lists: PolicyData = PrivateAttr(default=PolicyData())
    _regime: Regime | None = PrivateAttr(default=None)

    @classmethod
    def from_data(
        cls,
        data: Mapping[str, Any],
        *,
        transfer_data: TransferData | None = None,
        regime_data: RegimeData | None = None,
    ) -> Self:
        """Validate a policy file's data; `transfer_data` and `regime_data` replace the lists that ship with the package.

        Raises:
            pydantic.ValidationError: a value that no policy may have.
        """
        return cls.model_validate(data, context=PolicyData(transfers=transfer_data, regimes=regime_data))

    def model_post_init(self, context: Any) -> None:
        """Build the look-up tables; `from_data` passes the PolicyData as the context."""
        self._lists = context if isinstance(context, PolicyData) else PolicyData()
        self._build_index()

    def under(self, regime: Regime, categories: tuple[Category, ...], validity: Duration) -> "Policy":
        """Return the policy as it holds under a regime, with other categories of the same ids and another validity."""
        policy = self.model_copy(update={"categories": categories, "validity": validity})
        policy._regime = regime
        policy._build_index()
        return policy

    def _build_index(self) -> None:
        vendors_of = _grouped(self.vendors, lambda vendor: vendor.category)
        optional = tuple(category for category in self.categories if not category.required)
        self._index = _Index(
            categories={category.id: category for category in self.categories},
            vendors={vendor.id: vendor for vendor in self.vendors},
            sites={site.id: site for site in self.sites},
            optional=optional,
            consent_needed=tuple(category for category in optional if not category.exempt),
            vendors_of=vendors_of,
            trackers_of=_grouped(self.trackers, lambda tracker: tracker.category),
            trackers_of_vendor=_grouped(self.trackers, lambda tracker: tracker.vendor),
            honours_gpc={
                category.id: _honours_gpc(category, vendors_of.get(category.id, ()))
                for category in self.categories
            },
            sells={
                category.id: _sells(category, vendors_of.get(category.id, ())) for category in self.categories
            },
        )

    def category(self, category_id: str) -> Category:
        """Return a category.

        Raises:
            UnknownCategoryError: the policy declares no category of that id.
        """
        return _look_up(self._index.categories, category_id, UnknownCategoryError)

    def vendor(self, vendor_id: str) -> Vendor:
        """Return a vendor.

        Raises:
            UnknownVendorError: the policy declares no vendor of that id.
        """
        return _look_up(self._index.vendors, vendor_id, UnknownVendorError)

    def site(self, site_id: str) -> Site:
        """Return a site.

        Raises:
            UnknownSiteError: the policy declares no site of that id.
        """
        return _look_up(self._index.sites, site_id, UnknownSiteError)

    @property
    def optional(self) -> tuple[Category, ...]:
        """The categories that visitors can refuse or object to, in the policy's order."""
        return self._index.optional

    @property
    def consent_needed(self) -> tuple[Category, ...]:
        """The categories that are off until a visitor agrees: optional and not exempt."""
        return self._index.consent_needed

    @property
    def effective_rights(self) -> tuple[Right, ...]:
        """The rights that visitors are told about."""
        return get_args(Right) if self.rights is None else self.rights

    @property
    def effective_proof_basis(self) -> ProofBasis:
        """The ground in the GDPR for keeping records of decisions."""
        return self.proof_basis or "legal_obligation"

    def gdpr_basis(self, category: Category) -> GdprBasis | Literal["consent"]:
        """Return the ground in the GDPR for what a category does."""
        if not category.required and not category.exempt:
            return "consent"
        return category.gdpr_basis or "legitimate_interests"

    @property
    def hands_off(self) -> bool:
        """Whether a decision can be handed from one site to another: one of several sites has a key to sign it with."""
        return len(self.sites) > 1 and any(site.public_key for site in self.sites)

    def vendors_of(self, category_id: str) -> tuple[Vendor, ...]:
        """Return a category's vendors, in the policy's order.

        Raises:
            UnknownCategoryError: the policy declares no category of that id.
        """
        return self._index.vendors_of.get(self.category(category_id).id, ())

    def trackers_of(self, category_id: str) -> tuple[Tracker, ...]:
        """Return a category's trackers, in the policy's order.

        Raises:
            UnknownCategoryError: the policy declares no category of that id.
        """
        return self._index.trackers_of.get(self.category(category_id).id, ())

    def trackers_of_vendor(self, vendor_id: str) -> tuple[Tracker, ...]:
        """Return a vendor's trackers, in the policy's order.

        Raises:
            UnknownVendorError: the policy declares no vendor of that id.
        """
        return self._index.trackers_of_vendor.get(self.vendor(vendor_id).id, ())

    def honours_gpc(self, category_id: str) -> bool:
        """Return whether Sec-GPC refuses a category as long as the visitor has made no decision.

        Raises:
            UnknownCategoryError: the policy declares no category of that id.
        """
        return self._index.honours_gpc[self.category(category_id).id]

    @property
    def transfer_data(self) -> TransferData:
        """The list of EEA countries and adequacy decisions that applies to this policy."""
        return self._lists.transfers or shipped_transfer_data()

    @property
    def regime_data(self) -> RegimeData:
        """The rules of places that apply to this policy."""
        return self._lists.regimes or shipped_regime_data()

    @property
    def home_regime(self) -> Regime:
        """The regime of the policy's jurisdiction: that of the country in the EEA, else of the EEA as such."""
        return self.regime_data.home_of(self.jurisdiction)

    @property
    def regime(self) -> Regime:
        """The regime that this policy holds under."""
        return self._regime or self.home_regime

    @property
    def is_home(self) -> bool:
        """Whether this is the policy as it was declared, and not as it holds in other places."""
        return self._regime is None

    def denies_by_gpc(self, category_id: str) -> bool:
        """Return whether Sec-GPC turns a category off whatever the visitor chose: what sells, where the signal wins.

        Raises:
            UnknownCategoryError: the policy declares no category of that id.
        """
        return self.regime.gpc_over_choice and self.sells(category_id) and self.honours_gpc(category_id)

    def sells(self, category_id: str) -> bool:
        """Return whether a category sells or shares personal data in the sense of US law.

        Raises:
            UnknownCategoryError: the policy declares no category of that id.
        """
        return self._index.sells[self.category(category_id).id]

    def outside_eea(self, vendor: Vendor) -> bool:
        """Return whether data that a vendor receives leaves the EEA (GDPR 44)."""
        return not self.transfer_data.in_eea(vendor.country)

    def adequacy_lapses(self, vendor: Vendor) -> date | None:
        """Return the last day on which a vendor's adequacy decision is in force, that day included.

        None for a vendor that does not rely on a decision, and for a decision without an end.
        """
        if vendor.safeguard != "adequacy" or not self.outside_eea(vendor):
            return None
        ends = [decision.ends for decision in self.transfer_data.decisions_for(vendor.country)]
        return None if not ends or None in ends else max(end for end in ends if end is not None)

    def text(self, texts: Texts, language: str) -> str:
        """Return the text for a language tag, else for its primary language, else for the policy's first language."""
        tag = normalize_language(language) or ""
        for candidate in (tag, tag.split("-")[0], self.languages[0]):
            if candidate in texts:
                return texts[candidate]
        return next(iter(texts.values()))


def _look_up(rows: Mapping[str, _Row], row_id: str, error: type[UnknownIdError]) -> _Row:
    try:
        return rows[row_id]
    except KeyError:
        raise error(row_id, tuple(rows)) from None


def _grouped(rows: Iterable[_Row], key: Callable[[_Row], _Key]) -> dict[_Key, tuple[_Row, ...]]:
    groups: defaultdict[_Key, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {group: tuple(members) for group, members in groups.items()}


def _sells(category: Category, vendors: Iterable[Vendor]) -> bool:
    if category.required or category.sale_or_share is not None:
        return not category.required and category.sale_or_share is True
    return any(vendor.profiling or vendor.role != "processor" for vendor in vendors)


def _honours_gpc(category: Category, vendors: Iterable[Vendor]) -> bool:
    if category.required or category.honours_gpc is not None:
        return not category.required and category.honours_gpc is True
    return any(vendor.profiling for vendor in vendors)
