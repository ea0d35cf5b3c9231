"""The journal of a run and what it adds up to, kept in step while the run goes on."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field

from nscale_cli.errors import UsageError
from nscale_cli.runs.journal import Event, Journal, read_events
from nscale_cli.runs.plan import PlannedRow, RunDirectory, read_plan
from nscale_cli.runs.shards import Shard
from nscale_cli.runs.states import RowStates
from nscale_cli.values import frozen


@frozen
class Place:
    """Where a run is, and which part of it is meant; `trial` holds a plan that is only tried."""

    run: RunDirectory
    shard: Shard = field(default_factory=Shard)
    trial: RunDirectory | None = None

    def rows(self) -> Iterator[PlannedRow]:
        """Yield the rows of this part, in the order of the plan."""
        rows = read_plan(self.trial or self.run)
        return (planned for planned in rows if self.shard.holds(planned.key))


@frozen
class Ledger:
    """`journal` takes what workers say; `states` are what all journals of the run add up to.

    What was written is taken into the states by `take_in`, in the thread that owns them.
    """

    place: Place
    journal: Journal
    states: RowStates
    _news: deque[Event] = field(default_factory=deque)

    def take_in(self) -> list[Event]:
        """Bring the states up to date, and return what is new."""
        events = []
        while self._news:
            events.append(self._news.popleft())
            self.states.add(events[-1])
        return events


@contextmanager
def open_ledger(place: Place, *, redact: Callable[[str], str] = str) -> Iterator[Ledger]:
    """Open the books of a run, which its owner alone may do; raise UsageError where that fails.

    Raises ConfigurationError where what they say cannot be relied on.
    """
    news: deque[Event] = deque()
    with RowStates(read_events(place.run)) as states:
        path = place.shard.journal(place.run)
        try:
            journal = Journal(path, redact=redact, on_event=news.append)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}; nothing was sent",
                hint="choose another folder with -o",
            ) from None
        with journal:
            yield Ledger(place=place, journal=journal, states=states, _news=news)
