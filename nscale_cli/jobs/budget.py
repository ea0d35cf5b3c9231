"""`--max-cost`: what a run may cost, reserved before each attempt that may be billed."""

import threading
from copy import copy

from nscale_cli.errors import Billed, UsageError
from nscale_cli.jobs.job import Job, JobResult
from nscale_cli.jobs.prices import PriceList
from nscale_cli.request import ImageRequest
from nscale_cli.service.prices import cost_usd, dollars, estimate_usd


class OverBudget(UsageError):
    """One more request could cost more than may be spent."""


class Budget:
    """The most that a run may cost in US dollars, over all its jobs and their attempts.

    What an attempt may have cost stays reserved, at its estimate, until it is known.
    """

    def __init__(self, max_usd: float, prices: PriceList, *, spent_usd: float = 0.0) -> None:
        self.max_usd, self._prices = max_usd, prices
        self._spent_usd = [spent_usd]  # which budgets of several services share
        self._reserved: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def spent_usd(self) -> float:
        """What has been spent, as far as it is known."""
        return self._spent_usd[0]

    def at(self, prices: PriceList) -> "Budget":
        """Return the same budget for jobs of another service, which has prices of its own."""
        other = copy(self)
        other._prices = prices
        return other

    @classmethod
    def asked(cls, max_usd: float, prices: PriceList, request: ImageRequest) -> "Budget":
        """Return the budget of a run of one request; raise UsageError where it is too small."""
        prices.ask()
        budget = cls(max_usd, prices)
        if (usd := budget.estimate(request)) > max_usd:
            raise _over_budget(usd, max_usd)
        return budget

    def reserve(self, job: Job) -> None:
        """Set aside what one more attempt may cost; raise UsageError where that is too much."""
        usd = self.estimate(job.request)
        with self._lock:
            total = self.spent_usd + sum(self._reserved.values()) + usd
            if total > self.max_usd:
                raise _over_budget(total, self.max_usd)
            self._reserved[job.id] = usd

    def end_attempt(self, job: Job, billed: Billed) -> None:
        """Give back what was set aside for an attempt that cost nothing; else it is spent."""
        with self._lock:
            usd = self._reserved.pop(job.id, 0.0)
            self._spent_usd[0] += 0.0 if billed is Billed.NO else usd

    def settle(self, result: JobResult) -> None:
        """Put what the last attempt cost in the place of its estimate, as far as it is known."""
        job = result.job
        price = self._prices.usd_per_megapixel(job.request.model)
        cost = cost_usd(price, [image.size for image in result.images])
        with self._lock:
            usd = self._reserved.pop(job.id, 0.0)
            if result.billed is not Billed.NO:
                self._spent_usd[0] += usd if cost is None or result.errors else cost

    def estimate(self, request: ImageRequest) -> float:
        """Return what the request should cost; raise UsageError where that is unknown."""
        price = self._prices.usd_per_megapixel(request.model)
        if price is None or not request.send_size:
            reason = (
                self._prices.unknown_because(request.model)
                if price is None
                else "the service chooses the size"
            )
            raise unknown_price(reason)
        return estimate_usd(price, request)


def unknown_price(reason: str) -> UsageError:
    """Return the error for a limit that cannot be kept, since a price is not known."""
    return UsageError(
        f"the price is unknown ({reason}), and --max-cost was given; no image was asked for",
        hint="leave --max-cost out to go without an estimate",
    )


def _over_budget(usd: float, max_usd: float) -> OverBudget:
    """Return the error for an estimate that is more than may be spent."""
    return OverBudget(
        f"the estimate is about ${dollars(usd)}, more than --max-cost "
        f"{dollars(max_usd)}; no image was asked for",
        hint="make fewer or smaller images, use another model, or raise --max-cost",
    )
