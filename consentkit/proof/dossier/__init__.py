"""The dossier: one archive with everything that shows how consent was asked for and recorded in a period."""

from consentkit.proof.dossier.build import DossierRequest, DossierResult, write_dossier
from consentkit.proof.dossier.figures import Figures, FiguresOf, with_report
from consentkit.proof.dossier.period import Period, Tally
from consentkit.proof.dossier.words import Camera

__all__ = [
    "Camera",
    "DossierRequest",
    "DossierResult",
    "Figures",
    "FiguresOf",
    "Period",
    "Tally",
    "with_report",
    "write_dossier",
]
