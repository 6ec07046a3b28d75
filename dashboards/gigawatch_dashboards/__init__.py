"""The pages that three people open first."""
