"""The pure core: destination + evidence + policy + time -> verdict. No I/O and no clock."""
