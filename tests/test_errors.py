import errno

import pytest

from reviewbot.errors import own_fault
from reviewbot.text import one_line


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_told_as_that_and_not_as_a_fault_of_ours(number: int) -> None:
    error = own_fault(OSError(number, "words of the system"))

    assert error.exit_code == 3
    assert "The temporary folder cannot be written" in error.sentences
    assert "TMPDIR" in error.sentences


def test_a_machine_without_memory_is_told_as_that() -> None:
    assert "too little memory" in own_fault(MemoryError()).sentences


def test_a_fault_of_ours_names_our_own_line_and_nothing_of_the_data() -> None:
    with pytest.raises(AttributeError) as caught:
        one_line(b"a secret", 10)  # type: ignore[arg-type]
    error = own_fault(caught.value)

    assert error.exit_code == 3
    assert str(error).startswith("reviewbot itself failed (AttributeError at text.py:")
    assert "secret" not in error.sentences
