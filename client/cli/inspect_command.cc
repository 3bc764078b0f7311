#include <memory>
#include <string>
#include <vector>

#include "CLI/Option.hpp"
#include "client/cli/commands.h"
#include "client/cli/fit_input.h"
#include "client/cli/spec_yaml.h"
#include "core/checkpoint/checkpoint.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

std::string_view TypeName(StateType type) {
  switch (type) {
    case StateType::kInt8:
      return "int8";
    case StateType::kInt16:
      return "int16";
    case StateType::kInt32:
      return "int32";
    case StateType::kInt64:
      return "int64";
    case StateType::kUint8:
      return "uint8";
    case StateType::kUint64:
      return "uint64";
  }
  return "?";
}

struct TensorNote {
  std::string name;
  std::string_view type;
  std::vector<uint64_t> shape;
  uint64_t size_bytes;
};

class TensorLister : public StateVisitor {
 public:
  void Visit(const StateEntry& entry) override {
    tensors.push_back({std::string(entry.name),
                       TypeName(entry.type),
                       {entry.shape.begin(), entry.shape.end()},
                       entry.bytes.size()});
  }

  std::vector<TensorNote> tensors;
};

std::string ShapeText(const std::vector<uint64_t>& shape) {
  std::string text = "[";
  for (const uint64_t dimension : shape) {
    text::StrAppend(&text, text.size() > 1 ? "," : "", dimension);
  }
  return text + "]";
}

void PrintText(Checkpoint& checkpoint, const std::vector<TensorNote>& tensors, Output& output) {
  output.Line(SpecAsYaml(checkpoint.learner->spec()));
  output.Line("");
  output.Line(text::StrCat("mini-batches trained  ", checkpoint.learner->step()));
  output.Line(text::StrCat("state digest          ", checkpoint.state_digest));
  output.Line(text::StrCat("file digest           ", checkpoint.file_digest));
  for (const auto& [key, value] : checkpoint.annotations) {
    output.Line(text::StrCat("annotation            ", key, ": ", value));
  }
  for (const TensorNote& tensor : tensors) {
    output.Line(text::StrCat("tensor                ", tensor.name, " ", tensor.type, " ",
                             ShapeText(tensor.shape), ", ", tensor.size_bytes, " bytes"));
  }
}

JsonObject ResultOf(Checkpoint& checkpoint, const std::vector<TensorNote>& tensors) {
  JsonObject annotations;
  for (const auto& [key, value] : checkpoint.annotations) annotations.Add(key, value);
  std::vector<JsonObject> list;
  for (const TensorNote& tensor : tensors) {
    list.push_back(JsonObject()
                       .Add("name", tensor.name)
                       .Add("type", tensor.type)
                       .Add("shape", tensor.shape)
                       .Add("size_bytes", tensor.size_bytes));
  }
  return JsonObject()
      .Add("name", checkpoint.learner->spec().name)
      .Add("digest", checkpoint.state_digest)
      .Add("file_digest", checkpoint.file_digest)
      .Add("step", checkpoint.learner->step())
      .Add("annotations", annotations)
      .Add("tensors", list)
      .AddJson("spec", CanonicalSpec(checkpoint.learner->spec()));
}

absl::Status Inspect(const std::string& path, Context& context) {
  TALLY_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(path));
  TALLY_ASSIGN_OR_RETURN(Checkpoint checkpoint, CheckpointFromBytes(bytes, path));
  TensorLister lister;
  checkpoint.learner->VisitState(lister);
  PrintText(checkpoint, lister.tensors, context.output);
  context.output.Result(ResultOf(checkpoint, lister.tensors));
  return absl::OkStatus();
}

}  // namespace

void AddInspectCommand(CommandSet& commands) {
  auto path = std::make_shared<std::string>();
  CLI::App& command =
      commands.Add({"inspect", "Verify a checkpoint file and show its spec, digests and tensors",
                    "tally inspect digits.safetensors"},
                   [path](Context& context) { return Inspect(*path, context); });
  command.add_option("file", *path, "A checkpoint: from `tally fit --out` or `tally export`")
      ->required();
}

}  // namespace tally::cli
