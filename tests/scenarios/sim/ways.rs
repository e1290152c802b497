//! The ways of a member to a chain: several endpoints under the node's own composition of them, with its scores, breakers
//! and comparisons.

use std::sync::Arc;

use async_trait::async_trait;
use catenary_api::{ReplacingSink, SignedTx, UnsignedTx};
use catenary_light_clients::qbft::{Config, Qbft};
use catenary_light_clients::{Class, Coded, LightClient};
use catenary_node::chain::endpoints::{Call, EndpointObserver, Endpoints, LeftOut, Member, Standing, Went};
use catenary_node::chain::{Adapter, Admission, HasClient};

use super::endpoint::Endpoint;
use super::world::World;

/// Name of an endpoint in metrics.
pub(crate) fn endpoint_name(which: usize) -> String {
    format!("endpoint-{which}")
}

/// Both sides of an endpoint.
pub(crate) fn adapter(endpoint: &Arc<Endpoint>) -> Adapter {
    Adapter { source: endpoint.clone(), sink: endpoint.clone() }
}

/// Endpoints as the node takes several.
pub(crate) fn members(endpoints: &[Arc<Endpoint>]) -> Vec<Member> {
    let member = |(which, endpoint): (usize, &Arc<Endpoint>)| Member {
        name: endpoint_name(which),
        adapter: adapter(endpoint),
        replacer: None,
        requests_per_second_max: None,
    };
    endpoints.iter().enumerate().map(member).collect()
}

/// Whichever endpoint answers raises a price, as in the node.
pub(crate) struct AnyOf(pub(crate) Vec<Arc<Endpoint>>);

#[async_trait]
impl ReplacingSink for AnyOf {
    async fn replacement(&self, previous: &SignedTx) -> catenary_api::Result<Option<UnsignedTx>> {
        let mut failure = None;
        for endpoint in &self.0 {
            match endpoint.replacement(previous).await {
                Err(error) if error.class != Class::Bug => failure = Some(error),
                answered => return answered,
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

/// What is told of several endpoints, in the trace.
pub(crate) struct SeenEndpoints {
    pub(crate) world: Arc<World>,
    pub(crate) member: usize,
    pub(crate) chain: usize,
}

impl EndpointObserver for SeenEndpoints {
    fn asked(&self, _: &str, _: Call, _: Went) {}

    fn scored(&self, _: &str, score: f64) {
        if !(0.0..=1.0).contains(&score) {
            self.world.violated("score", format!("member {} chain {}: {score}", self.member, self.chain));
        }
    }

    fn changed(&self, endpoint: &str, standing: &Standing) {
        let why = standing.why.as_ref().map(|why| why.code);
        self.world.happened(if standing.up { "endpoint serves again" } else { "endpoint left out" });
        self.world.note(format!("member {} chain {}: {endpoint} up {} {why:?}", self.member, self.chain, standing.up));
    }

    fn disagreed(&self, endpoint: &str, why: &LeftOut) {
        self.world.note(format!("member {} chain {}: {endpoint} disagrees {}", self.member, self.chain, why.code));
    }
}

/// What must be right before a chain of several endpoints is followed: its network, and its pinned header.
pub(crate) struct Admitted(pub(crate) Config);

#[async_trait]
impl Admission for Admitted {
    async fn admit(
        &self,
        endpoints: &Endpoints,
        has_client: HasClient,
    ) -> catenary_api::Result<Option<Box<dyn LightClient>>> {
        endpoints.identify_any(&self.0.chain_id).await?;
        if has_client == HasClient::Yes {
            return Ok(None);
        }
        let mut but = Vec::new();
        loop {
            let told = endpoints.updates_told(self.0.anchor.height, self.0.anchor.height, &but).await?;
            let update = told.answer.first().map_or(&[][..], Vec::as_slice);
            match Qbft::new(self.0.clone(), update) {
                Ok(client) => return Ok(Some(Box::new(client))),
                Err(refusal) => endpoints.refused(told.by, refusal.code(), &refusal.to_string()),
            }
            but.push(told.by);
        }
    }
}
