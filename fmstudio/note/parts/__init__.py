"""What the claims share: settings, nets, chains, moving particles, panels."""
