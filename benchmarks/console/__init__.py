"""How every command talks: errors, choices, escapes, interrupts, progress."""
