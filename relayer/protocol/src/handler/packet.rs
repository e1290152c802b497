//! The way of a packet: sent, received, acknowledged or timed out (ICS-04 v2).

use alloc::{vec, vec::Vec};

use catenary_light_clients::{Hash32, Timestamp};
use prost::Message;

use super::app::{Call, Received, SendRequest};
use super::client::{merkle_path, Claim, Height, Proof};
use super::client_messages::check_active;
use super::dispatch::{check_relayer, check_signer, required, Context, Handler, Outcome};
use super::error::Error;
use super::events::{AppEvent, Event};
use super::state;
use super::store::{Key, Store};
use crate::limits;
use crate::packet::{Acknowledgement, Packet};
use crate::proto;

/// What a receipt holds (ibc-go `SetPacketReceipt`). Only its absence is ever proven.
const RECEIPT: u8 = 0x02;

/// What came of a relayed message (ibc-go `ResponseResultType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum PacketResult {
    /// It was done before: nothing changed.
    Noop = 1,
    /// It is done; for a receive also when the app answered with an error.
    Success = 2,
    /// Defined by the protocol and never given here, nor by ibc-go v11.2.0.
    Failure = 3,
}

impl PacketResult {
    fn outcome(self, events: Vec<Event>) -> Outcome {
        let response = proto::PacketResponse { result: self as i32 }.encode_to_vec();
        Outcome { response, events }
    }
}

/// What a relayer says about a packet.
struct Relayed<'a> {
    packet: &'a Packet,
    proof: Proof<'a>,
}

impl<H: Store> Handler<H> {
    /// Sends a packet for its signer.
    ///
    /// # Errors
    /// A rule of the packet, its deadline, the client, or the app.
    pub fn send_packet(
        &self,
        host: &mut H,
        context: Context<'_>,
        message: proto::MsgSendPacket,
    ) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let (got, expected) = (message.payloads.len(), limits::PAYLOADS);
        let mut payloads = message.payloads.into_iter();
        let (Some(payload), None) = (payloads.next(), payloads.next()) else {
            return Err(crate::Error::Count { field: "payloads", got, expected }.into());
        };
        let request = SendRequest {
            source_client: message.source_client,
            timeout_timestamp_seconds: message.timeout_timestamp,
            payload: payload.into(),
        };
        self.send(host, context, request)
    }

    /// Sends a packet: for a host that has no messages, and for apps whose messages become packets.
    ///
    /// # Errors
    /// As [`send_packet`](Self::send_packet). The caller undoes what was written ([`super::atomically`]).
    pub fn send(&self, host: &mut H, context: Context<'_>, request: SendRequest) -> Result<Outcome, Error> {
        let SendRequest { source_client, timeout_timestamp_seconds, payload } = request;
        let counterparty = counterparty_of(host, &source_client)?;
        check_deadline(context.time, timeout_timestamp_seconds)?;
        let used_up = || Error::SequencesUsedUp { client_id: source_client.clone() };
        let sequence = state::next_sequence_send(host, &source_client)?
            .ok_or_else(|| Error::CounterpartyNotFound { client_id: source_client.clone() })?;
        let next = sequence.checked_add(1).ok_or_else(used_up)?;
        let packet = Packet {
            sequence,
            source_client: source_client.clone(),
            destination_client: counterparty.client_id,
            timeout_timestamp_seconds,
            payloads: vec![payload],
        };
        packet.validate()?;
        self.check_destination_time(host, context, &packet)?;
        host.set(&Key::next_sequence_send(&source_client), next.to_be_bytes().to_vec());
        host.set(&Key::of_path(packet.commitment_path()), packet.commitment().as_bytes().to_vec());
        let payload = packet.payload()?;
        let call = Call { context, packet: &packet, payload };
        let done = self.app(&payload.source_port)?.on_send(host, &call)?;
        let mut events = vec![Event::SendPacket(packet.clone())];
        events.extend(done.into_iter().map(Event::App));
        Ok(Outcome { response: proto::MsgSendPacketResponse { sequence }.encode_to_vec(), events })
    }

    /// The destination, as far as it is known here, has not reached the deadline.
    fn check_destination_time(&self, host: &H, context: Context<'_>, packet: &Packet) -> Result<(), Error> {
        let id = &packet.source_client;
        let client = self.client(id)?;
        check_active(id, client.status(host, id, context.time)?)?;
        let latest = client.latest_height(host, id)?;
        let now_seconds = client.timestamp(host, id, latest)?.seconds();
        let timeout_seconds = packet.timeout_timestamp_seconds;
        if now_seconds >= timeout_seconds {
            return Err(Error::TimeoutElapsed { clock: "the destination's known time", now_seconds, timeout_seconds });
        }
        Ok(())
    }

    /// Receives a packet that is proven sent.
    ///
    /// # Errors
    /// The relayer, the counterparty, the deadline, the proof, or an app that answers wrongly. An app that refuses is
    /// no error: its packet gets the universal error acknowledgement.
    pub fn recv_packet(
        &self,
        host: &mut H,
        context: Context<'_>,
        message: proto::MsgRecvPacket,
    ) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let packet = packet_of(message.packet)?;
        let proof = proof_of("proof_commitment", &message.proof_commitment, message.proof_height)?;
        let relayed = Relayed { packet: &packet, proof };
        if self.receive(host, context, &relayed)? == PacketResult::Noop {
            return Ok(PacketResult::Noop.outcome(Vec::new()));
        }
        let mut events = vec![Event::RecvPacket(packet.clone())];
        let acknowledgement = self.deliver(host, context, &packet, &mut events)?;
        write_acknowledgement(host, &packet, &acknowledgement)?;
        events.push(Event::WriteAcknowledgement(packet, acknowledgement));
        Ok(PacketResult::Success.outcome(events))
    }

    /// Checks a packet and writes its receipt.
    fn receive(&self, host: &mut H, context: Context<'_>, relayed: &Relayed<'_>) -> Result<PacketResult, Error> {
        let Relayed { packet, proof } = relayed;
        let id = &packet.destination_client;
        check_relayer(host, context, id)?;
        let counterparty = counterparty_is(host, id, &packet.source_client)?;
        let (now_seconds, timeout_seconds) = (context.time.seconds(), packet.timeout_timestamp_seconds);
        if now_seconds >= timeout_seconds {
            return Err(Error::TimeoutElapsed { clock: "the block's time", now_seconds, timeout_seconds });
        }
        let receipt = Key::of_path(packet.receipt_path());
        if host.get(&receipt).is_some() {
            return Ok(PacketResult::Noop);
        }
        let commitment = packet.commitment();
        let path = merkle_path(&counterparty.merkle_prefix, packet.commitment_path().as_bytes());
        let claim = Claim { path: &path, value: Some(commitment.as_bytes()) };
        self.verify(host, context, (id, proof), &claim)?;
        host.set(&receipt, vec![RECEIPT]);
        Ok(PacketResult::Success)
    }

    /// Gives a packet to its app. What a refusing app has written is undone.
    fn deliver(
        &self,
        host: &mut H,
        context: Context<'_>,
        packet: &Packet,
        events: &mut Vec<Event>,
    ) -> Result<Acknowledgement, Error> {
        let payload = packet.payload()?;
        let port = &payload.destination_port;
        let app = self.app(port)?;
        host.begin();
        let received = app.on_receive(host, &Call { context, packet, payload });
        if matches!(received, Received::Acknowledged { .. }) {
            host.commit();
        } else {
            host.rollback();
        }
        match received {
            Received::Acknowledged { acknowledgement, events: done } => {
                let acknowledgement = Acknowledgement { app_acknowledgements: vec![acknowledgement] };
                acknowledgement.validate()?;
                if acknowledgement.is_universal_error() {
                    return Err(Error::SentinelAcknowledgement { port: port.clone() });
                }
                events.extend(done.into_iter().map(Event::App));
                Ok(acknowledgement)
            }
            Received::Failed { reason, events: undone } => {
                let why = AppEvent::new(port, &[("code", reason.code), ("error", &reason.message)]);
                events.extend(undone.into_iter().chain([why]).map(Event::AppFailed));
                Ok(Acknowledgement::universal_error())
            }
            Received::Pending => Err(Error::LateAcknowledgement { port: port.clone() }),
        }
    }

    /// Closes a packet whose acknowledgement is proven written.
    ///
    /// # Errors
    /// The relayer, the counterparty, another packet's commitment, the proof, or the app.
    pub fn acknowledge(
        &self,
        host: &mut H,
        context: Context<'_>,
        message: proto::MsgAcknowledgement,
    ) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let packet = packet_of(message.packet)?;
        let app_acknowledgements = required("acknowledgement", message.acknowledgement)?.app_acknowledgements;
        let acknowledgement = Acknowledgement { app_acknowledgements };
        acknowledgement.validate()?;
        let proof = proof_of("proof_acked", &message.proof_acked, message.proof_height)?;
        let id = &packet.source_client;
        check_relayer(host, context, id)?;
        let counterparty = counterparty_is(host, id, &packet.destination_client)?;
        let Some(sent) = sent_commitment(host, &packet)? else {
            return Ok(PacketResult::Noop.outcome(Vec::new()));
        };
        let commitment = acknowledgement.commitment();
        let path = merkle_path(&counterparty.merkle_prefix, packet.ack_path().as_bytes());
        let claim = Claim { path: &path, value: Some(commitment.as_bytes()) };
        self.verify(host, context, (id, &proof), &claim)?;
        host.delete(&sent);
        let payload = packet.payload()?;
        let call = Call { context, packet: &packet, payload };
        let done = self.app(&payload.source_port)?.on_acknowledge(host, &call, acknowledgement.single()?)?;
        let mut events = vec![Event::AcknowledgePacket(packet.clone())];
        events.extend(done.into_iter().map(Event::App));
        Ok(PacketResult::Success.outcome(events))
    }

    /// Closes a packet that is proven not received in time.
    ///
    /// # Errors
    /// The relayer, the counterparty, the deadline, another packet's commitment, the proof, or the app.
    pub fn time_out(&self, host: &mut H, context: Context<'_>, message: proto::MsgTimeout) -> Result<Outcome, Error> {
        check_signer(context, &message.signer)?;
        let packet = packet_of(message.packet)?;
        let proof = proof_of("proof_unreceived", &message.proof_unreceived, message.proof_height)?;
        let id = &packet.source_client;
        check_relayer(host, context, id)?;
        let counterparty = counterparty_is(host, id, &packet.destination_client)?;
        let proof_seconds = self.client(id)?.timestamp(host, id, proof.height)?.seconds();
        let timeout_seconds = packet.timeout_timestamp_seconds;
        if proof_seconds < timeout_seconds {
            return Err(Error::TimeoutNotReached { proof_seconds, timeout_seconds });
        }
        let Some(sent) = sent_commitment(host, &packet)? else {
            return Ok(PacketResult::Noop.outcome(Vec::new()));
        };
        let path = merkle_path(&counterparty.merkle_prefix, packet.receipt_path().as_bytes());
        self.verify(host, context, (id, &proof), &Claim { path: &path, value: None })?;
        host.delete(&sent);
        let payload = packet.payload()?;
        let call = Call { context, packet: &packet, payload };
        let done = self.app(&payload.source_port)?.on_timeout(host, &call)?;
        let mut events = vec![Event::TimeoutPacket(packet.clone())];
        events.extend(done.into_iter().map(Event::App));
        Ok(PacketResult::Success.outcome(events))
    }

    /// Asks an active client whether a claim holds.
    fn verify(
        &self,
        host: &H,
        context: Context<'_>,
        (id, proof): (&str, &Proof<'_>),
        claim: &Claim<'_>,
    ) -> Result<(), Error> {
        let client = self.client(id)?;
        check_active(id, client.status(host, id, context.time)?)?;
        client.verify(host, id, proof, claim)
    }
}

fn packet_of(packet: Option<proto::Packet>) -> Result<Packet, Error> {
    let packet = Packet::from(required("packet", packet)?);
    packet.validate()?;
    Ok(packet)
}

fn proof_of<'a>(field: &'static str, bytes: &'a [u8], height: Option<proto::Height>) -> Result<Proof<'a>, Error> {
    if bytes.is_empty() {
        return Err(Error::Missing { field });
    }
    let (got, max) = (bytes.len(), limits::PROOF_BYTES_MAX);
    if got > max {
        return Err(crate::Error::Length { field, got, min: 1, max }.into());
    }
    let height = Height::from(required("proof_height", height)?);
    Ok(Proof { height, bytes })
}

fn counterparty_of<H: Store>(host: &H, client_id: &str) -> Result<proto::CounterpartyInfo, Error> {
    state::counterparty(host, client_id)?.ok_or_else(|| Error::CounterpartyNotFound { client_id: client_id.into() })
}

fn counterparty_is<H: Store>(host: &H, client_id: &str, named: &str) -> Result<proto::CounterpartyInfo, Error> {
    let counterparty = counterparty_of(host, client_id)?;
    if counterparty.client_id == named {
        return Ok(counterparty);
    }
    let expected = counterparty.client_id;
    Err(Error::Counterparty { client_id: client_id.into(), got: named.into(), expected })
}

/// A deadline is after the block's time, and at most a day after it.
fn check_deadline(time: Timestamp, timeout_seconds: u64) -> Result<(), Error> {
    let deadline = Timestamp::from_seconds(timeout_seconds);
    if deadline <= time {
        let (clock, now_seconds) = ("the block's time", time.seconds());
        return Err(Error::TimeoutElapsed { clock, now_seconds, timeout_seconds });
    }
    match time.checked_add_seconds(limits::TIMEOUT_AHEAD_SECONDS_MAX) {
        Some(latest) if timeout_seconds > latest.seconds() => {
            Err(Error::TimeoutTooFar { timeout_seconds, max_seconds: latest.seconds() })
        }
        Some(_) => Ok(()),
        None => Err(Error::TimeoutTooFar { timeout_seconds, max_seconds: time.seconds() }),
    }
}

/// The key under which a packet's commitment is stored, `None` when nothing is there any more.
fn sent_commitment<H: Store>(host: &H, packet: &Packet) -> Result<Option<Key>, Error> {
    let key = Key::of_path(packet.commitment_path());
    let Some(stored) = host.get(&key) else { return Ok(None) };
    let got = packet.commitment();
    if stored == got.as_bytes() {
        return Ok(Some(key));
    }
    let expected = Hash32::from_slice(&stored).unwrap_or(Hash32([0; 32]));
    Err(Error::Commitment { got, expected })
}

fn write_acknowledgement<H: Store>(
    host: &mut H,
    packet: &Packet,
    acknowledgement: &Acknowledgement,
) -> Result<(), Error> {
    let key = Key::of_path(packet.ack_path());
    if host.get(&key).is_some() {
        let (client_id, sequence) = (packet.destination_client.clone(), packet.sequence);
        return Err(Error::AcknowledgementExists { client_id, sequence });
    }
    host.set(&key, acknowledgement.commitment().as_bytes().to_vec());
    Ok(())
}
