"""How many workers a fit may have when it may itself be one of several that run in parallel."""

from numbers import Integral
from typing import Any

from joblib import effective_n_jobs
from joblib.parallel import get_active_backend


def allowed_jobs(n_jobs: Any) -> Any:
    """Return the number of workers of a fit that scikit-learn or a user's joblib may have started.

    Parameters
    ----------
    n_jobs
        A number above 0 is what the user wants and stays. Below 0 it counts back from all cores, but inside
        a joblib worker 1 is left of them: its siblings have the others. None is scikit-learn's default: 1
        unless ``joblib.parallel_config`` says otherwise. Anything else is left for `Options` to refuse.

    >>> allowed_jobs(3), allowed_jobs(-1), allowed_jobs(None)
    (3, -1, 1)
    """
    if n_jobs is None:
        return effective_n_jobs(None)
    backend, _ = get_active_backend()
    return 1 if isinstance(n_jobs, Integral) and n_jobs < 0 and backend.nesting_level else n_jobs
