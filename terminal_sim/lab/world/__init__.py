"""The world: both ends, the issuer, the links and the people in one thread on a virtual clock."""
