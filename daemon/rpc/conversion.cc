#include "daemon/rpc/conversion.h"

#include <google/protobuf/util/json_util.h>

#include "core/arithmetic/check.h"
#include "core/learner/model_spec_reader.h"
#include "daemon/rpc/status_details.h"

namespace tally::rpc {
namespace {

v1::ModelState StateToProto(hosting::ModelState state) {
  switch (state) {
    case hosting::ModelState::kCreating:
      return v1::MODEL_STATE_CREATING;
    case hosting::ModelState::kCalibrating:
      return v1::MODEL_STATE_CALIBRATING;
    case hosting::ModelState::kReplaying:
      return v1::MODEL_STATE_REPLAYING;
    case hosting::ModelState::kReady:
      return v1::MODEL_STATE_READY;
    case hosting::ModelState::kDraining:
      return v1::MODEL_STATE_DRAINING;
    case hosting::ModelState::kFailed:
      return v1::MODEL_STATE_FAILED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

void StatusToProto(const hosting::HostStatus& status, v1::Model& out) {
  out.set_state(StateToProto(status.state));
  out.set_state_detail(status.detail);
  out.set_step(status.step);
  out.set_trained_position(status.trained_position);
  out.set_accepted_position(status.accepted_position);
  out.set_durable_position(status.durable_position);
  ToProto(status.prequential, *out.mutable_prequential());
  ToProto(status.digest_point, *out.mutable_digest_point());
  for (const LayerCounters& layer : status.layers) {
    v1::LayerCounters* counters = out.add_layers();
    counters->set_saturated_activations(layer.saturated_activations);
    counters->set_clamped_weights(layer.clamped_weights);
    counters->set_wide_steps(layer.wide_steps);
  }
  out.set_memory_bytes(status.memory_bytes);
  out.set_journal_bytes(status.journal_bytes);
  out.set_sources(status.sources);
}

}  // namespace

void ToProto(const hosting::SourceProgress& progress, v1::SourceProgress& out) {
  out.set_accepted_through(progress.accepted_through);
  out.set_durable_through(progress.durable_through);
  out.set_trained_through(progress.trained_through);
  out.set_next_sequence(progress.accepted_through + 1);
}

void ToProto(const hosting::Prequential& prequential, v1::Prequential& out) {
  out.set_seen(prequential.seen);
  out.set_correct(prequential.correct);
  out.set_recent_seen(prequential.recent_seen);
  out.set_recent_permille(prequential.recent_permille);
}

void ToProto(const hosting::DigestPoint& point, v1::DigestPoint& out) {
  out.set_step(point.step);
  out.set_state_digest(point.state_digest);
}

void ToProto(const hosting::CheckpointInfo& info, v1::CheckpointInfo& out) {
  out.set_position(info.position);
  out.set_step(info.step);
  out.set_state_digest(info.state_digest);
  out.set_file_digest(info.file_digest);
  out.set_size_bytes(info.size_bytes);
}

void ToProto(const hosting::ModelHost& host, const std::optional<std::string>& refusal,
             v1::Model& out) {
  StatusToProto(host.status(), out);
  if (const std::shared_ptr<const ModelSpec> spec = host.spec(); spec != nullptr) {
    SpecToProto(*spec, *out.mutable_spec());
    out.set_parameters(ParameterCount(*spec));
  }
  out.mutable_spec()->set_name(host.name());
  if (refusal) {
    out.set_state(v1::MODEL_STATE_FAILED);
    out.set_state_detail(*refusal);
  }
}

absl::StatusOr<ModelSpec> SpecFromProto(const v1::ModelSpec& spec) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(spec, &json, options).ok()) {
    // Protobuf refuses strings that are not UTF-8 when it parses the request; this is the printer's
    // refusal.
    return FieldError("spec", "INVALID_FIELD", "cannot be written as JSON; are all strings UTF-8?");
  }
  absl::StatusOr<ModelSpec> read = ModelSpecFromJson(json, "request");
  if (!read.ok()) return WithFieldParent(read.status(), "spec");
  return read;
}

void SpecToProto(const ModelSpec& spec, v1::ModelSpec& out) {
  const std::string canonical = CanonicalSpec(spec);
  google::protobuf::util::JsonParseOptions options;
  const bool parsed = google::protobuf::util::JsonStringToMessage(canonical, &out, options).ok();
  // The message has every field the canonical text has; a test holds them together.
  TALLY_CHECK(parsed);
  out.set_name(spec.name);
}

}  // namespace tally::rpc
