"""What papers claim, tested on the records of a benchmark: one file for each claim, which is its registration.

A claim asks the evidence for models and sample sets by their recorded properties (`_evidence.py` names them), compares
them by a shared test (`_tests.py`) and yields what the test found. If there is nothing to compare, it says what it
needs. Copy `ddpm_1.py` for a claim on two models, `ddpm_6.py` for one on each model, `adm_1.py` for a sweep.
"""

from diffbench.base.records import Estimate as Estimate
from diffbench.comparison.claims._contract import Claim as Claim
from diffbench.comparison.claims._contract import Finding as Finding
from diffbench.comparison.claims._contract import found_or as found_or
from diffbench.comparison.claims._contract import judged as judged
from diffbench.comparison.claims._contract import untestable as untestable
from diffbench.comparison.claims._contrasts import difference as difference
from diffbench.comparison.claims._contrasts import mean_over_images as mean_over_images
from diffbench.comparison.claims._contrasts import over_seeds as over_seeds
from diffbench.comparison.claims._contrasts import ratio as ratio
from diffbench.comparison.claims._contrasts import ratio_of_sums as ratio_of_sums
from diffbench.comparison.claims._costs import equal_cost_pairs as equal_cost_pairs
from diffbench.comparison.claims._evidence import Evidence as Evidence
from diffbench.comparison.claims._evidence import Group as Group
from diffbench.comparison.claims._evidence import Scored as Scored
from diffbench.comparison.claims._evidence import Side as Side
from diffbench.comparison.claims._tests import INFINITY as INFINITY
from diffbench.comparison.claims._tests import against as against
from diffbench.comparison.claims._tests import below as below
from diffbench.comparison.claims._tests import best_inside as best_inside
from diffbench.comparison.claims._tests import measured_between as measured_between
from diffbench.comparison.claims._tests import measures_monotone as measures_monotone
from diffbench.comparison.claims._tests import monotone as monotone
from diffbench.comparison.claims._tests import not_contrary as not_contrary
from diffbench.comparison.claims._tests import ratio_between as ratio_between
