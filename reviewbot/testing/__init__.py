"""A scripted model for tests: the Messages API on this machine, strict, deterministic and free.

::

    with ScriptedModel("reader", faults={2: "overloaded"}) as model:
        ...  # run reviewbot with ANTHROPIC_BASE_URL=model.base_url and any ANTHROPIC_API_KEY
        assert model.refused == []  # nothing was sent that the real API would not take

A fault may be the name of a behaviour, and be chosen by a function of the request: with
``faults={lambda body: "haiku" in body["model"]: "skipper"}`` only triage skips everything.

Message batches are played, too: with ``batch_seconds=60`` a batch ends after a minute, with
``batch_faults={"create": ["reset"]}`` the answer to the first creation is lost, and the faults ``expired``,
``canceled`` and all those with a status are ends of items.

The names of behaviours are the keys of BEHAVIOURS, those of faults the keys of FAULTS; both may also be
values of one's own: a function of the request body that returns a Turn, and a Fault. What it accepts is
in ``checks``, how it counts tokens and dollars in ``accounting``.
"""

from reviewbot.testing.accounting import Charge as Charge
from reviewbot.testing.behaviours import BEHAVIOURS as BEHAVIOURS
from reviewbot.testing.behaviours import Behaviour as Behaviour
from reviewbot.testing.exchange import Served as Served
from reviewbot.testing.faults import FAULTS as FAULTS
from reviewbot.testing.faults import Fault as Fault
from reviewbot.testing.federation import Federation as Federation
from reviewbot.testing.limits import RateLimit as RateLimit
from reviewbot.testing.server import ScriptedModel as ScriptedModel
from reviewbot.testing.wire import ToolCall as ToolCall
from reviewbot.testing.wire import Turn as Turn
