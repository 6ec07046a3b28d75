"""What the XID codes that matter most mean, in a few words; NVIDIA's catalogue has the others."""

from __future__ import annotations

from typing import Final

MEANING: Final = {
    13: "the job made an illegal operation",
    31: "the job touched memory it may not use",
    43: "a software fault ended the job; the GPU is healthy",
    45: "work was torn down after another fault",
    48: "uncorrectable memory error",
    63: "a bad memory row is marked for replacement",
    64: "a bad memory row could not be replaced",
    74: "NVLink fault",
    79: "the GPU has fallen off the bus",
    92: "unusually many correctable memory errors",
    94: "memory error, contained in one job",
    95: "memory error, not contained",
    109: "switching between jobs timed out",
    119: "the GPU's system processor does not answer",
    120: "the GPU's system processor failed",
    154: "the driver asks for another recovery action",
}
