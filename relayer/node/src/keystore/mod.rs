//! Encrypted keys, what each is bound to, and the signer that remembers.
