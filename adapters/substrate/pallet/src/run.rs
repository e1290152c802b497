//! From a call to the handler, and from what the handler says to events and errors.

use alloc::{string::String, vec::Vec};

use catenary_light_clients::Timestamp;
use catenary_protocol::handler::{
    self, atomically, AttestationClient, Context, GrandpaFamily, Handler, NativeClient, Outcome, PacketResult,
    QbftFamily, TendermintClient, TransferApp,
};
use catenary_protocol::{ics20, limits, proto};
use frame_support::traits::{Get, UnixTime};
use prost::Message as _;
use sp_core::crypto::AccountId32;
use sp_runtime::DispatchError;

use crate::{
    address,
    host::PalletHost,
    types::{utf8, Acknowledge, Any, Message, RecvPacket, Timeout, Transfer, UpdateClient},
    Config, Error, Event, MessageKind, Pallet, Refusal,
};

/// Who the handler takes for the creator of every client: the admin origin, whoever that is.
const ADMIN: &str = "admin";

type Host<T> = PalletHost<T>;

/// What this chain judges its counterparties with, and what is bound to a port.
fn handler<T: Config>() -> Handler<Host<T>> {
    Handler::new()
        .with_client(AttestationClient)
        .with_client(TendermintClient)
        .with_client(NativeClient::<QbftFamily>::new())
        .with_client(NativeClient::<GrandpaFamily>::new())
        .with_app(TransferApp)
}

/// The time of the block.
fn now<T: Config>() -> Timestamp {
    Timestamp::from_nanos(u64::try_from(T::Time::now().as_nanos()).unwrap_or(u64::MAX))
}

/// Runs a step of the handler; what it wrote stays only if it succeeded.
fn run<T, F>(signer: &str, step: F) -> Result<Outcome, DispatchError>
where
    T: Config,
    F: FnOnce(&Handler<Host<T>>, &mut Host<T>, Context<'_>) -> Result<Outcome, handler::Error>,
{
    let (handler, mut host) = (handler::<T>(), Host::new());
    let context = Context { time: now::<T>(), signer };
    let outcome = atomically(&mut host, |host| {
        let outcome = step(&handler, host, context).map_err(refuse::<T>)?;
        if host.is_too_large() {
            return Err(Error::<T>::TooLarge.into());
        }
        Ok::<_, DispatchError>(outcome)
    })?;
    for event in &outcome.events {
        Pallet::<T>::deposit_event(Event::of(event));
    }
    Ok(outcome)
}

fn refuse<T: Config>(error: handler::Error) -> DispatchError {
    let code = error.code();
    log::debug!(target: "runtime::ibc", "refused: {code}: {error}");
    Error::<T>::Refused(Refusal::of(code)).into()
}

/// Text of a call.
fn text<T: Config>(bytes: &[u8]) -> Result<String, DispatchError> {
    utf8(bytes).ok_or_else(|| Error::<T>::NotText.into())
}

fn any<T: Config>(any: Any) -> Result<Option<proto::Any>, DispatchError> {
    any.proto().map(Some).ok_or_else(|| Error::<T>::NotText.into())
}

fn packet<T: Config>(bytes: &[u8]) -> Result<Option<proto::Packet>, DispatchError> {
    let decoded = proto::decode_bounded("packet", bytes, limits::PACKET_BYTES_MAX);
    decoded.map(Some).map_err(|error| refuse::<T>(error.into()))
}

/// A message of a relayer.
pub(crate) fn relay<T: Config>(who: &AccountId32, message: Message) -> Result<Outcome, DispatchError> {
    let signer = address::text::<T>(who);
    match message {
        Message::UpdateClient(update) => update_client::<T>(&signer, update),
        Message::RecvPacket(received) => receive::<T>(signer, received),
        Message::Acknowledge(acknowledged) => acknowledge::<T>(signer, acknowledged),
        Message::Timeout(timed_out) => time_out::<T>(signer, timed_out),
    }
}

fn update_client<T: Config>(signer: &str, update: UpdateClient) -> Result<Outcome, DispatchError> {
    let message = proto::MsgUpdateClient {
        client_id: text::<T>(&update.client_id)?,
        client_message: any::<T>(update.client_message)?,
        signer: signer.into(),
    };
    run::<T, _>(signer, |handler, host, context| handler.update_client(host, context, message))
}

fn receive<T: Config>(signer: String, received: RecvPacket) -> Result<Outcome, DispatchError> {
    let packet = packet::<T>(&received.packet)?;
    let key = packet.as_ref().map(|packet| (packet.destination_client.clone(), packet.sequence));
    let (proof_commitment, proof_height) = received.proof.proto();
    let message = proto::MsgRecvPacket { packet, proof_commitment, proof_height, signer: signer.clone() };
    let outcome = run::<T, _>(&signer, |handler, host, context| handler.recv_packet(host, context, message))?;
    noop::<T>(&outcome, MessageKind::RecvPacket, key);
    Ok(outcome)
}

fn acknowledge<T: Config>(signer: String, acknowledged: Acknowledge) -> Result<Outcome, DispatchError> {
    let packet = packet::<T>(&acknowledged.packet)?;
    let key = packet.as_ref().map(|packet| (packet.source_client.clone(), packet.sequence));
    let bytes = &acknowledged.acknowledgement;
    let acknowledgement = proto::decode_bounded("acknowledgement", bytes, limits::ACK_MESSAGE_BYTES_MAX)
        .map_err(|error| refuse::<T>(error.into()))?;
    let (proof_acked, proof_height) = acknowledged.proof.proto();
    let message = proto::MsgAcknowledgement {
        packet,
        acknowledgement: Some(acknowledgement),
        proof_acked,
        proof_height,
        signer: signer.clone(),
    };
    let outcome = run::<T, _>(&signer, |handler, host, context| handler.acknowledge(host, context, message))?;
    noop::<T>(&outcome, MessageKind::Acknowledge, key);
    Ok(outcome)
}

fn time_out<T: Config>(signer: String, timed_out: Timeout) -> Result<Outcome, DispatchError> {
    let packet = packet::<T>(&timed_out.packet)?;
    let key = packet.as_ref().map(|packet| (packet.source_client.clone(), packet.sequence));
    let (proof_unreceived, proof_height) = timed_out.proof.proto();
    let message = proto::MsgTimeout { packet, proof_unreceived, proof_height, signer: signer.clone() };
    let outcome = run::<T, _>(&signer, |handler, host, context| handler.time_out(host, context, message))?;
    noop::<T>(&outcome, MessageKind::Timeout, key);
    Ok(outcome)
}

/// Says so when a message had been done before.
fn noop<T: Config>(outcome: &Outcome, kind: MessageKind, key: Option<(String, u64)>) {
    let result = proto::PacketResponse::decode(outcome.response.as_slice()).map(|response| response.result);
    if let (Ok(result), Some((client_id, sequence))) = (result, key) {
        if result == PacketResult::Noop as i32 {
            Pallet::<T>::deposit_event(Event::Noop { kind, client_id: client_id.into_bytes(), sequence });
        }
    }
}

/// Misbehaviour, and nothing but that.
pub(crate) fn misbehaviour<T: Config>(who: &AccountId32, update: UpdateClient) -> Result<(), DispatchError> {
    let outcome = update_client::<T>(&address::text::<T>(who), update)?;
    match outcome.events.as_slice() {
        [handler::Event::Misbehaviour { .. }] => Ok(()),
        _ => Err(Error::<T>::NotMisbehaviour.into()),
    }
}

/// Creates a client.
pub(crate) fn create_client<T: Config>(client_state: Any, consensus_state: Any) -> Result<(), DispatchError> {
    let (client_state, consensus_state) = (any::<T>(client_state)?, any::<T>(consensus_state)?);
    let message = proto::MsgCreateClient { client_state, consensus_state, signer: ADMIN.into() };
    // The bound that the handler puts on the message as it comes over a wire.
    if message.encoded_len() > limits::CREATE_BYTES_MAX {
        return Err(Error::<T>::TooLarge.into());
    }
    run::<T, _>(ADMIN, |handler, host, context| {
        let count = handler::state::next_client_sequence(host)?;
        if count >= u64::from(T::MaxClients::get()) {
            let reason = alloc::format!("{count} clients exist, no more are allowed");
            return Err(handler::Error::InvalidState { reason });
        }
        handler.create_client(host, context, message)
    })
    .map(|_| ())
}

/// Registers a client's counterparty.
pub(crate) fn register<T: Config>(id: &[u8], other: &[u8], prefix: Vec<Vec<u8>>) -> Result<(), DispatchError> {
    let message = proto::MsgRegisterCounterparty {
        client_id: text::<T>(id)?,
        counterparty_merkle_prefix: prefix,
        counterparty_client_id: text::<T>(other)?,
        signer: ADMIN.into(),
    };
    run::<T, _>(ADMIN, |handler, host, context| handler.register_counterparty(host, context, message)).map(|_| ())
}

/// Sets who may relay through a client.
pub(crate) fn set_client_relayers<T: Config>(id: &[u8], relayers: &[AccountId32]) -> Result<(), DispatchError> {
    let config = proto::ClientConfig { allowed_relayers: relayers.iter().map(address::text::<T>).collect() };
    let message =
        proto::MsgUpdateClientConfig { client_id: text::<T>(id)?, config: Some(config), signer: ADMIN.into() };
    run::<T, _>(ADMIN, |handler, host, context| handler.update_client_config(host, context, message)).map(|_| ())
}

/// Sends a transfer.
pub(crate) fn transfer<T: Config>(who: &AccountId32, transfer: Transfer) -> Result<(), DispatchError> {
    let signer = address::text::<T>(who);
    let coin = proto::Coin { denom: text::<T>(&transfer.denom)?, amount: alloc::format!("{}", transfer.amount) };
    let message = proto::MsgTransfer {
        source_port: ics20::PORT.into(),
        source_channel: text::<T>(&transfer.client_id)?,
        token: Some(coin),
        sender: signer.clone(),
        receiver: text::<T>(&transfer.receiver)?,
        timeout_height: None,
        timeout_timestamp: transfer.timeout_seconds,
        memo: text::<T>(&transfer.memo)?,
        encoding: text::<T>(&transfer.encoding)?,
    };
    let bytes = message.encode_to_vec();
    run::<T, _>(&signer, |handler, host, context| handler.handle(host, context, proto::MSG_TRANSFER, &bytes))
        .map(|_| ())
}
