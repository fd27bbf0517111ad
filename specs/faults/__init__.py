"""Faults: one vocabulary for the world, the line of a real terminal and the host (failure-catalogue.md, section 4)."""

from specs.faults.errors import FaultError as FaultError
from specs.faults.model import Across as Across
from specs.faults.model import Action as Action
from specs.faults.model import Behind as Behind
from specs.faults.model import Effect as Effect
from specs.faults.model import End as End
from specs.faults.model import Facts as Facts
from specs.faults.model import Fault as Fault
from specs.faults.model import Param as Param
from specs.faults.model import Passage as Passage
from specs.faults.model import Place as Place
from specs.faults.model import Put as Put
from specs.faults.model import With as With
