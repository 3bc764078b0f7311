#include "client/cli/remote.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <random>
#include <utility>

#include "CLI/Option.hpp"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/progress.h"
#include "core/arithmetic/check.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "tally/error_details.h"

namespace tally::cli {
namespace {

using google::protobuf::util::JsonPrintOptions;
using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;

constexpr uint32_t kTimeoutMaxS = 86400;

}  // namespace

void AddRemoteOptions(CLI::App& command, RemoteOptions& options) {
  command
      .add_option("--timeout", options.timeout_s,
                  "Seconds to wait for one answer (default: 30; 600 where training is waited for)")
      ->check([](const std::string& text) {
        uint32_t seconds = 0;
        const bool good =
            absl::SimpleAtoi(text, &seconds) && seconds >= 1 && seconds <= kTimeoutMaxS;
        return good ? std::string() : "--timeout: " + text + ", expected 1 to 86400 seconds";
      });
}

absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const Context& context,
                                                  const RemoteOptions& options,
                                                  std::chrono::milliseconds patience) {
  ClientOptions client_options;
  client_options.patience = patience;
  if (options.timeout_s > 0) {
    client_options.timeout = std::chrono::seconds(options.timeout_s);
    client_options.long_timeout = client_options.timeout;
  }
  return Client::Connect(context.server, client_options);
}

absl::Status RemoteError(const absl::Status& status) {
  if (status.ok()) return status;
  const ErrorDetails details = DetailsOf(status);
  std::string message(status.message());
  if (status.code() == absl::StatusCode::kUnavailable && !details.retry_delay.has_value()) {
    text::StrAppend(&message,
                    "; is tallyd running? --server or TALLY_SERVER names another address");
  }
  absl::Status result(status.code(), message);
  if (!details.fields.empty()) {
    result.SetPayload(kFieldPayloadUrl, absl::Cord(details.fields.front().field));
  }
  return result;
}

std::string RandomSource() {
  std::random_device device;
  return absl::StrCat("cli-", absl::Hex(device(), absl::kZeroPad8),
                      absl::Hex(device(), absl::kZeroPad8));
}

v1::ModelSpec SpecToMessage(const ModelSpec& spec) {
  v1::ModelSpec message;
  const std::string json = CanonicalSpec(spec);
  TALLY_CHECK(JsonStringToMessage(json, &message).ok());
  message.set_name(spec.name);
  return message;
}

absl::StatusOr<ModelSpec> SpecFromMessage(const v1::ModelSpec& message) {
  JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  TALLY_CHECK(MessageToJsonString(message, &json, options).ok());
  return ModelSpecFromJson(json, "the daemon's answer");
}

std::string_view StateName(v1::ModelState state) {
  constexpr std::string_view kPrefix = "MODEL_STATE_";
  const std::string& name = v1::ModelState_Name(state);
  return std::string_view(name).substr(std::min(name.size(), kPrefix.size()));
}

JsonObject ModelJson(const v1::Model& model) {
  const v1::Prequential& prequential = model.prequential();
  return JsonObject()
      .Add("name", model.spec().name())
      .Add("algorithm", model.spec().algorithm())
      .Add("state", StateName(model.state()))
      .Add("state_detail", model.state_detail())
      .Add("step", model.step())
      .Add("trained_position", model.trained_position())
      .Add("accepted_position", model.accepted_position())
      .Add("durable_position", model.durable_position())
      .Add("seen", prequential.seen())
      .Add("correct", prequential.correct())
      .Add("recent_permille", prequential.recent_permille())
      .Add("parameters", model.parameters())
      .Add("memory_bytes", model.memory_bytes())
      .Add("journal_bytes", model.journal_bytes())
      .Add("sources", model.sources());
}

JsonObject CheckpointJson(const v1::CheckpointInfo& checkpoint) {
  return JsonObject()
      .Add("position", checkpoint.position())
      .Add("step", checkpoint.step())
      .Add("state_digest", checkpoint.state_digest())
      .Add("file_digest", checkpoint.file_digest())
      .Add("size_bytes", checkpoint.size_bytes());
}

std::string ModelLine(const v1::Model& model) {
  std::string line = text::StrCat(model.spec().name(), "  ", StateName(model.state()));
  if (!model.state_detail().empty()) text::StrAppend(&line, " (", model.state_detail(), ")");
  text::StrAppend(&line, "  step ", model.step(), "  trained ", model.prequential().seen(),
                  " samples");
  if (model.prequential().recent_seen() > 0) {
    text::StrAppend(&line, "  recent accuracy ",
                    PercentText(model.prequential().recent_permille(), 1000));
  }
  text::StrAppend(&line, "  ", model.parameters(), " parameters");
  return line;
}

std::string CheckpointLine(const v1::CheckpointInfo& checkpoint) {
  return text::StrCat("position ", checkpoint.position(), "  step ", checkpoint.step(), "  ",
                      checkpoint.size_bytes(), " bytes  digest ", checkpoint.state_digest());
}

}  // namespace tally::cli
