//! Requests between members: the real service of the one is called by the real client of the other, over a way on which
//! requests are lost, late or doubled, and with members that lie now and then.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catenary_node::attestor::wire::attestation_service_server::AttestationService;
use catenary_node::attestor::wire::{
    Attestation, LatestHeightRequest, LatestHeightResponse, PacketAttestationRequest, PacketAttestationResponse,
    StateAttestationRequest, StateAttestationResponse,
};
use catenary_node::platform;
use tonic::{Request, Response, Status};

use super::rng::Rng;
use super::world::{lock, World};

/// The way from one member to the service of another for one attested chain.
pub(crate) struct Link {
    world: Arc<World>,
    to: usize,
    chain: usize,
    rng: Mutex<Rng>,
}

/// What becomes of one request.
struct Fate {
    delay_ms: u64,
    is_lost: bool,
    is_busy: bool,
    twice: bool,
    lies: bool,
}

fn gone() -> Status {
    Status::unavailable("nobody is there")
}

impl Link {
    pub(crate) fn new(world: Arc<World>, (from, life): (usize, u64), to: usize, chain: usize) -> Self {
        let rng = Rng::of(world.plan.seed, &format!("link {from} {life} {to} {chain}"));
        Self { world, to, chain, rng: Mutex::new(rng) }
    }

    fn fate(&self) -> Fate {
        let (faults, faulty) = (self.world.plan.peers, self.world.is_faulty());
        let mut rng = lock(&self.rng);
        let slow = faulty && rng.chance(faults.slow);
        Fate {
            delay_ms: if slow { rng.range(500, 9_000) } else { rng.range(1, 40) },
            is_lost: faulty && rng.chance(faults.loss),
            twice: faulty && rng.chance(faults.twice),
            lies: faulty && rng.chance(faults.lies),
            is_busy: faults.busy > 0 && faulty && rng.chance(faults.busy),
        }
    }

    /// Carries a request to the other member's service, where it runs in a task of that member, and the answer back.
    async fn carry<Q, A, F, Fut>(&self, request: Q, ask: F) -> Result<(A, bool), Status>
    where
        Q: Clone + Send + 'static,
        A: Send + 'static,
        F: Fn(Arc<dyn AttestationService>, Request<Q>) -> Fut,
        Fut: std::future::Future<Output = Result<Response<A>, Status>> + Send + 'static,
    {
        let fate = self.fate();
        platform::sleep(Duration::from_millis(fate.delay_ms)).await;
        if fate.is_lost {
            // Nothing comes back: the client's deadline ends this.
            std::future::pending::<()>().await;
        }
        if fate.is_busy {
            self.world.happened("a peer is busy");
            return Err(Status::resource_exhausted("as many requests are in flight as may be"));
        }
        let service = lock(&self.world.members[self.to].state).services[self.chain].clone().ok_or_else(gone)?;
        if fate.twice {
            drop(tokio::spawn(ask(service.clone(), Request::new(request.clone()))));
        }
        // A member that dies while it serves takes the request with it, and not the one who asked.
        let served = tokio::spawn(ask(service, Request::new(request))).await;
        let answer = served.map_err(|_| gone())??;
        Ok((answer.into_inner(), fate.lies))
    }

    fn lie(&self, attestation: &mut Option<Attestation>) {
        let Some(attestation) = attestation else { return };
        match lock(&self.rng).range(0, 3) {
            0 => attestation.height += 1,
            1 => attestation.signature.iter_mut().skip(3).take(2).for_each(|byte| *byte ^= 0x55),
            2 => attestation.attested_data.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1),
            _ => attestation.signature.truncate(10),
        }
    }
}

#[tonic::async_trait]
impl AttestationService for Link {
    async fn state_attestation(
        &self,
        request: Request<StateAttestationRequest>,
    ) -> Result<Response<StateAttestationResponse>, Status> {
        let ask =
            |service: Arc<dyn AttestationService>, request| async move { service.state_attestation(request).await };
        let (mut answer, lies) = self.carry(request.into_inner(), ask).await?;
        if let Some(attestation) = &answer.attestation {
            self.world.check_attestation(self.to, self.chain, &attestation.attested_data, true);
        }
        if lies {
            self.lie(&mut answer.attestation);
        }
        Ok(Response::new(answer))
    }

    async fn packet_attestation(
        &self,
        request: Request<PacketAttestationRequest>,
    ) -> Result<Response<PacketAttestationResponse>, Status> {
        let ask =
            |service: Arc<dyn AttestationService>, request| async move { service.packet_attestation(request).await };
        let (mut answer, lies) = self.carry(request.into_inner(), ask).await?;
        if let Some(attestation) = &answer.attestation {
            self.world.check_attestation(self.to, self.chain, &attestation.attested_data, false);
        }
        if lies {
            self.lie(&mut answer.attestation);
        }
        Ok(Response::new(answer))
    }

    async fn latest_height(
        &self,
        request: Request<LatestHeightRequest>,
    ) -> Result<Response<LatestHeightResponse>, Status> {
        let ask = |service: Arc<dyn AttestationService>, request| async move { service.latest_height(request).await };
        let (mut answer, lies) = self.carry(request.into_inner(), ask).await?;
        if lies {
            answer.height = (answer.height + 10).saturating_sub(lock(&self.rng).range(0, 20));
        }
        Ok(Response::new(answer))
    }
}
