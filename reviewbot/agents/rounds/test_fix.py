"""The task about failed tests: the failures with likely causes, in halves where they filled a context."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.prompts import Fence, build_test_fix_prompt
from reviewbot.agents.results import Ended
from reviewbot.agents.spec import SPECS
from reviewbot.agents.tasks import MATERIAL_SHARE, Entry, plan_test_fix, render_failures
from reviewbot.agents.view.failing_tests import MOST_TOKENS
from reviewbot.claims import Stop, Task
from reviewbot.core import Evidence, FileChange


@dataclass(frozen=True, slots=True)
class FixingRound:
    """What the task needs of the run it belongs to.

    ``look`` finds the text of the failed tests, and what it uses, that the files do not show.
    ``run`` carries a task through to its end, ``redo`` notes that its work was given to others, ``note``
    keeps a sentence for the reader.
    """

    files: Sequence[FileChange]
    fence: Fence
    shared: str
    look: Callable[[Sequence[Evidence], Sequence[FileChange]], str]
    run: Callable[[Task, Prompt], Awaitable[Ended]]
    redo: Callable[[Ended], None]
    note: Callable[[str], None]

    async def explain(self, failures: Sequence[Evidence], entries: Mapping[str, Entry]) -> None:
        """Ask about the failed tests, as many as there is room for."""
        text, shown = render_failures(failures)
        if len(shown) < len(failures):
            left = len(failures) - len(shown)
            self.note(
                f"test_fix was shown {len(shown)} of {len(failures)} failed tests: {left} found no room."
            )
        end = await self.run(*await self._job(text, shown, entries, share=MATERIAL_SHARE))
        if end.outcome.stop is Stop.CONTEXT:
            self.redo(end)
            half = -(-len(shown) // 2)
            for part in filter(None, (shown[:half], shown[half:])):
                await self.run(*await self._job(*render_failures(part), entries, share=MATERIAL_SHARE / 2))

    async def _job(
        self, text: str, shown: Sequence[Evidence], entries: Mapping[str, Entry], *, share: float
    ) -> tuple[Task, Prompt]:
        spec = SPECS["test_fix"]
        room = int(spec.bounds.context_tokens * share) - len(text) // 3 - MOST_TOKENS
        files = plan_test_fix(self.files, shown, entries, room)
        tests = await asyncio.to_thread(self.look, shown, files)
        prompt = build_test_fix_prompt(spec, self.fence, self.shared, (text, len(shown)), files, tests=tests)
        paths = tuple(dict.fromkeys(change.path for change in files))
        ids = tuple(item.id for item in shown)
        return replace(Task(spec.name, paths), evidence_ids=ids, reason="tests failed"), prompt
