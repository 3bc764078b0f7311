#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "client/cli/commands.h"
#include "client/cli/spec_yaml.h"
#include "core/algorithms/algorithms.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

std::string LayersText(const ModelSpec& spec) {
  std::string text = text::StrCat(spec.InputElements());
  for (const LayerSpec& layer : spec.layers) {
    const std::string kernel = text::StrCat(layer.kernel.height, "x", layer.kernel.width);
    switch (layer.kind) {
      case LayerKind::kDense:
        text::StrAppend(&text, "-", layer.units);
        break;
      case LayerKind::kConv2d:
        text::StrAppend(&text, "-conv", kernel, "x", layer.units);
        break;
      case LayerKind::kMaxPool:
        text::StrAppend(&text, "-pool", kernel);
        break;
      case LayerKind::kDropout:
        break;
    }
  }
  return text;
}

absl::Status ListZoo(Output& output) {
  std::vector<JsonObject> networks;
  for (const std::string& name : ZooNames()) {
    TALLY_ASSIGN_OR_RETURN(const ModelSpec spec, ZooSpec(name));
    output.Line(text::StrCat(name, "  ", LayersText(spec), ", ", ParameterCount(spec),
                             " parameters, batch ", spec.batch_size, ", ", spec.schedule_steps,
                             " mini-batches"));
    networks.push_back(JsonObject()
                           .Add("name", name)
                           .Add("layers", LayersText(spec))
                           .Add("parameters", ParameterCount(spec))
                           .Add("batch_size", spec.batch_size)
                           .Add("schedule_steps", spec.schedule_steps));
  }
  output.Result(JsonObject().Add("networks", networks));
  return absl::OkStatus();
}

absl::Status ShowNetwork(const std::string& name, Output& output) {
  TALLY_ASSIGN_OR_RETURN(const ModelSpec spec, ZooSpec(name));
  output.Line(SpecAsYaml(spec));
  output.Result(JsonObject().Add("name", name).AddJson("spec", CanonicalSpec(spec)));
  return absl::OkStatus();
}

}  // namespace

void AddZooCommand(CommandSet& commands) {
  auto name = std::make_shared<std::string>();
  CLI::App& command = commands.Add(
      {"zoo", "List the networks that come with Tally, or print the spec of one",
       "tally zoo\n  tally zoo pocketnn/mnist-mlp > mine.yaml"},
      [name](Context& context) {
        return name->empty() ? ListZoo(context.output) : ShowNetwork(*name, context.output);
      });
  command.add_option("network", *name, "The network to print as a spec file");
}

}  // namespace tally::cli
