"""A lifeline that never sends again what the broker has lost."""

from core.database import Steps
from workers import housekeeping


def readmit() -> Steps[int]:
    """Let go of nothing."""
    return 0
    yield


housekeeping.readmit = readmit  # type: ignore[assignment, attr-defined]

if __name__ == "__main__":
    housekeeping.main()
