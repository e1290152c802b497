//! The reading side: the best endpoint answers, and whoever needs the name of the one that did has it.

use std::sync::Arc;

use async_trait::async_trait;
use catenary_api::{
    ChainSource, ClientClaim, Error, EventClaim, Head, Identity, PacketSearch, ProofClaim, Result, Search,
};
use catenary_light_clients::Class;

use super::read::Told;
use super::score::{Call, Went};
use super::Endpoints;

impl Endpoints {
    /// The head that an endpoint claims, other than those in `but`.
    ///
    /// # Errors
    /// No endpoint answered.
    pub async fn head_told(&self, but: &[usize]) -> Result<Told<Head>> {
        self.read(Call::Head, but, |endpoint| endpoint.source.head()).await
    }

    /// Updates from one endpoint and no other.
    ///
    /// # Errors
    /// It failed.
    pub async fn updates_of(&self, at: usize, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        self.ask(at, Call::Updates, |endpoint| endpoint.source.updates(from, to)).await
    }

    /// Updates from whichever endpoint has them, other than those in `but`.
    ///
    /// # Errors
    /// No endpoint gave them.
    pub async fn updates_told(&self, from: u64, to: u64, but: &[usize]) -> Result<Told<Vec<Vec<u8>>>> {
        self.read(Call::Updates, but, move |endpoint| endpoint.source.updates(from, to)).await
    }

    /// Events, other than from the endpoints in `but`.
    ///
    /// # Errors
    /// No endpoint gave them.
    pub async fn events_told(&self, from: u64, to: u64, but: &[usize]) -> Result<Told<Vec<EventClaim>>> {
        self.read(Call::Events, but, move |endpoint| endpoint.source.events(from, to)).await
    }

    /// Proofs, other than from the endpoints in `but`.
    ///
    /// # Errors
    /// No endpoint gave them.
    pub async fn proofs_told(&self, height: u64, paths: &[Vec<u8>], but: &[usize]) -> Result<Told<Vec<ProofClaim>>> {
        let paths: Arc<[Vec<u8>]> = paths.into();
        self.read(Call::Proofs, but, move |endpoint| {
            let paths = paths.clone();
            Box::pin(async move { endpoint.source.proofs(height, &paths).await })
        })
        .await
    }
}

/// An adapter that cannot search was asked to.
fn no_search() -> Error {
    let message = "the adapter cannot find packets by their sequences; the blocks are walked over".to_owned();
    Error { code: "NODE-END-006", class: Class::Permanent, message }
}

#[async_trait]
impl PacketSearch for Endpoints {
    async fn last_sequence(&self, client_id: &str) -> Result<Option<u64>> {
        let client_id: Arc<str> = client_id.into();
        let told = self.read(Call::State, &[], move |endpoint| {
            let client_id = client_id.clone();
            Box::pin(async move { endpoint.source.search().ok_or_else(no_search)?.last_sequence(&client_id).await })
        });
        Ok(told.await?.answer)
    }

    async fn find(&self, search: &Search<'_>) -> Result<Vec<EventClaim>> {
        let (client_id, sequences): (Arc<str>, Arc<[u64]>) = (search.client_id.into(), search.sequences.into());
        let (kind, from, to) = (search.kind, search.from, search.to);
        let told = self.read(Call::Events, &[], move |endpoint| {
            let (client_id, sequences) = (client_id.clone(), sequences.clone());
            Box::pin(async move {
                let search = Search { kind, client_id: &client_id, sequences: &sequences, from, to };
                endpoint.source.search().ok_or_else(no_search)?.find(&search).await
            })
        });
        let told = told.await?;
        self.board().searched = Some(told.by);
        Ok(told.answer)
    }

    /// Counts as a failure of the endpoint that was searched last, so that the next one comes first.
    async fn elsewhere(&self) {
        let Some(at) = self.board().searched.take() else { return };
        self.note(at, |record, now_ms| record.went(Call::Events, Went::Failed, 0, now_ms));
        if let Some(search) = self.list.get(at).and_then(|endpoint| endpoint.source.search()) {
            search.elsewhere().await;
        }
    }
}

#[async_trait]
impl ChainSource for Endpoints {
    fn search(&self) -> Option<&dyn PacketSearch> {
        // All adapters of a chain are of one kind.
        self.list.first()?.source.search()?;
        Some(self)
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(self.read(Call::Identity, &[], |endpoint| endpoint.source.identity()).await?.answer)
    }

    async fn head(&self) -> Result<Head> {
        Ok(self.head_told(&[]).await?.answer)
    }

    async fn updates(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        Ok(self.updates_told(from, to, &[]).await?.answer)
    }

    async fn events(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        Ok(self.events_told(from, to, &[]).await?.answer)
    }

    async fn proofs(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        Ok(self.proofs_told(height, paths, &[]).await?.answer)
    }

    async fn present(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        let paths: Arc<[Vec<u8>]> = paths.into();
        let told = self.read(Call::State, &[], move |endpoint| {
            let paths = paths.clone();
            Box::pin(async move { endpoint.source.present(&paths).await })
        });
        Ok(told.await?.answer)
    }

    async fn client(&self, client_id: &str) -> Result<Option<ClientClaim>> {
        let client_id: Arc<str> = client_id.into();
        let told = self.read(Call::State, &[], move |endpoint| {
            let client_id = client_id.clone();
            Box::pin(async move { endpoint.source.client(&client_id).await })
        });
        Ok(told.await?.answer)
    }
}
