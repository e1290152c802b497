//! Messages about clients: create, update, register the counterparty, limit the relayers.

use alloc::{format, string::String, vec, vec::Vec};

use catenary_light_clients::Timestamp;
use prost::Message;

use super::client::{Height, NewClient, Status, Update};
use super::dispatch::{check_relayer, check_signer, required, Context, Handler, Outcome};
use super::error::Error;
use super::events::Event;
use super::state;
#[cfg(feature = "tendermint-client")]
use super::store::atomically;
use super::store::{Key, Store};
#[cfg(feature = "tendermint-client")]
use super::tendermint_client::{recover, TENDERMINT};
use crate::limits;
use crate::packet::check_client_id;
use crate::proto;

impl<H: Store> Handler<H> {
    /// Creates a client. Ids count up over all types, as on ibc-go.
    ///
    /// # Errors
    /// The states cannot be used, or no type has them.
    pub fn create_client(
        &self,
        host: &mut H,
        context: Context<'_>,
        message: proto::MsgCreateClient,
    ) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let client_state = required("client_state", message.client_state)?;
        let consensus_state = required("consensus_state", message.consensus_state)?;
        let client = self.type_of_state(&client_state.type_url)?;
        let number = state::next_client_sequence(host)?;
        let id = format!("{}-{number}", client.name());
        let used_up = || Error::SequencesUsedUp { client_id: id.clone() };
        let next = number.checked_add(1).ok_or_else(used_up)?;
        let new = NewClient { id: &id, client_state: &client_state, consensus_state: &consensus_state };
        client.create(host, &new, context.time)?;
        check_active(&id, client.status(host, &id, context.time)?)?;
        host.set(&Key::next_client_sequence(), next.to_be_bytes().to_vec());
        host.set(&Key::creator(&id), context.signer.as_bytes().to_vec());
        let height = client.latest_height(host, &id)?;
        let created = Event::CreateClient { client_id: id.clone(), client_type: client.name().into(), height };
        let response = proto::MsgCreateClientResponse { client_id: id }.encode_to_vec();
        Ok(Outcome { response, events: vec![created] })
    }

    /// Updates a client, or freezes it when the message shows misbehaviour.
    ///
    /// # Errors
    /// The client is unknown or not active, the signer may not, or the message is invalid.
    pub fn update_client(
        &self,
        host: &mut H,
        context: Context<'_>,
        message: proto::MsgUpdateClient,
    ) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let id = message.client_id;
        let client_message = required("client_message", message.client_message)?;
        check_relayer(host, context, &id)?;
        let client = self.client(&id)?;
        check_active(&id, client.status(host, &id, context.time)?)?;
        let client_type = String::from(client.name());
        let event = match client.update(host, &id, &client_message, context.time)? {
            Update::Heights(heights) => Event::UpdateClient { client_id: id, client_type, heights },
            Update::Misbehaviour => Event::Misbehaviour { client_id: id, client_type },
        };
        Ok(Outcome { response: Vec::new(), events: vec![event] })
    }

    /// Registers a client's counterparty: by its creator, once. Packets can be sent from then on.
    ///
    /// # Errors
    /// The signer is not the creator, a counterparty is registered, or a field is out of bounds.
    pub fn register_counterparty(
        &self,
        host: &mut H,
        context: Context<'_>,
        message: proto::MsgRegisterCounterparty,
    ) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let (id, counterparty_id) = (message.client_id, message.counterparty_client_id);
        let merkle_prefix = message.counterparty_merkle_prefix;
        check_prefix(&merkle_prefix)?;
        check_client_id("client_id", &id)?;
        check_client_id("counterparty_client_id", &counterparty_id)?;
        check_creator(host, context, &id)?;
        if let Some(existing) = state::counterparty(host, &id)? {
            let (existing, got) = (existing.client_id, counterparty_id);
            return Err(Error::CounterpartyExists { client_id: id, existing, got });
        }
        let info = proto::CounterpartyInfo { merkle_prefix, client_id: counterparty_id };
        host.set(&Key::counterparty(&id), info.encode_to_vec());
        host.set(&Key::next_sequence_send(&id), 1_u64.to_be_bytes().to_vec());
        Ok(Outcome { response: Vec::new(), events: Vec::new() })
    }

    /// Sets who may relay through a client, empty for everyone: by its creator.
    ///
    /// # Errors
    /// The signer is not the creator, or the list is out of bounds.
    pub fn update_client_config(
        &self,
        host: &mut H,
        context: Context<'_>,
        message: proto::MsgUpdateClientConfig,
    ) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let id = message.client_id;
        check_client_id("client_id", &id)?;
        let config = required("config", message.config)?;
        check_length("allowed_relayers", config.allowed_relayers.len(), 0, limits::ALLOWED_RELAYERS_MAX)?;
        for relayer in &config.allowed_relayers {
            check_length("allowed relayer", relayer.len(), 1, limits::IDENTIFIER_BYTES_MAX)?;
        }
        check_creator(host, context, &id)?;
        if config.allowed_relayers.is_empty() {
            // Values are never empty, and the empty list is the absence of one.
            host.delete(&Key::config(&id));
        } else {
            host.set(&Key::config(&id), config.encode_to_vec());
        }
        Ok(Outcome { response: Vec::new(), events: Vec::new() })
    }

    /// Lets a client that is frozen or has expired go on from what an active substitute knows (ibc-go
    /// `MsgRecoverClient`). Nobody can send this: it is for the host to call when its chain's governance has so decided.
    ///
    /// # Errors
    /// The client is active, or its type cannot be recovered, or the substitute will not do.
    #[cfg(feature = "tendermint-client")]
    pub fn recover_client(
        &self,
        host: &mut H,
        time: Timestamp,
        client_id: &str,
        substitute_id: &str,
    ) -> Result<(), Error> {
        let refused = |reason| {
            let (client_id, substitute_id) = (client_id.into(), substitute_id.into());
            Err(Error::NotRecovered { client_id, substitute_id, reason })
        };
        let (client, substitute) = (self.client(client_id)?, self.client(substitute_id)?);
        if client.name() != TENDERMINT || substitute.name() != TENDERMINT {
            return refused("only clients that judge by validators are recovered, by another one; make a new path");
        }
        if client.status(host, client_id, time)? == Status::Active {
            return refused("it is active; use it");
        }
        check_active(substitute_id, substitute.status(host, substitute_id, time)?)?;
        atomically(host, |host| recover(host, client_id, substitute_id)?.map_or(Ok(()), refused))
    }

    /// Whether a client may be used at this time, for the host's queries.
    ///
    /// # Errors
    /// [`Error::UnknownClientType`] or [`Error::ClientNotFound`].
    pub fn client_status(&self, host: &H, client_id: &str, time: Timestamp) -> Result<Status, Error> {
        self.client(client_id)?.status(host, client_id, time)
    }

    /// The newest height that a client knows, for the host's queries.
    ///
    /// # Errors
    /// [`Error::UnknownClientType`] or [`Error::ClientNotFound`].
    pub fn latest_height(&self, host: &H, client_id: &str) -> Result<Height, Error> {
        self.client(client_id)?.latest_height(host, client_id)
    }
}

/// A client that is frozen or expired is not used.
pub(super) fn check_active(client_id: &str, status: Status) -> Result<(), Error> {
    if status == Status::Active {
        return Ok(());
    }
    Err(Error::ClientNotActive { client_id: client_id.into(), status: status.name() })
}

fn check_creator<H: Store>(host: &H, context: Context<'_>, client_id: &str) -> Result<(), Error> {
    // No client has the empty creator that stands for none here: a signer is never empty.
    let creator = state::creator(host, client_id)?.unwrap_or_default();
    if creator == context.signer {
        return Ok(());
    }
    Err(Error::NotCreator { client_id: client_id.into(), got: context.signer.into(), expected: creator })
}

fn check_prefix(prefix: &[Vec<u8>]) -> Result<(), Error> {
    check_length("counterparty_merkle_prefix", prefix.len(), 1, limits::PREFIX_ELEMENTS_MAX)?;
    prefix.iter().try_for_each(|element| {
        check_length("merkle prefix element", element.len(), 0, limits::PREFIX_ELEMENT_BYTES_MAX)
    })
}

fn check_length(field: &'static str, got: usize, min: usize, max: usize) -> Result<(), Error> {
    if (min..=max).contains(&got) {
        Ok(())
    } else {
        Err(crate::Error::Length { field, got, min, max }.into())
    }
}
