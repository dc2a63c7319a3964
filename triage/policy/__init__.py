"""The policy: grade, decision, route, clocks and words, from a YAML file that a manager changes."""

from triage.policy.file import SHIPPED, PolicyFile, Team, policy_path, read_policy_file
from triage.policy.rules import Policy, Rule, load_policy

__all__ = [
    "SHIPPED",
    "Policy",
    "PolicyFile",
    "Rule",
    "Team",
    "load_policy",
    "policy_path",
    "read_policy_file",
]
