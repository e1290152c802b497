//! What an adapter author needs: the chain source, chain sink and signer traits, and the claims they trade in.
