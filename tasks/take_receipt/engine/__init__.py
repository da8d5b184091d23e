"""From what somebody sent to what is kept: looked at, drawn anew, without what it told on them."""
