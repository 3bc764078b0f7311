#include "client/cli/output.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <string>

#include "absl/strings/cord.h"
#include "client/cli/exit_code.h"
#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"

namespace tally::cli {

void Output::Line(std::string_view line) { (json_ ? err_ : out_) << line << '\n'; }

void Output::Result(const JsonObject& object) {
  if (json_) out_ << object.Text() << '\n';
}

void Output::Result(const google::protobuf::Message& message) {
  if (!json_) return;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  TALLY_CHECK(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  out_ << json << '\n';
}

void Output::Error(const absl::Status& status) {
  const std::string message(status.message());
  err_ << "tally: " << message << '\n';
  if (!json_) return;
  JsonObject error;
  error.Add("code", CodeName(status.code())).Add("message", message);
  if (const auto field = status.GetPayload(kFieldPayloadUrl); field.has_value()) {
    error.Add("field", std::string(*field));
  }
  error.Add("exit_code", static_cast<uint32_t>(ExitCodeOf(status)));
  out_ << JsonObject().Add("error", error).Text() << '\n';
}

bool Output::Flush() {
  out_.flush();
  err_.flush();
  return out_.good();
}

}  // namespace tally::cli
