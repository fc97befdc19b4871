#include "fit/split.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "ech0/error.h"

namespace ech0 {
namespace {

/// Bytes of every layer with its share of the cache; the last one is what comes after the layers.
std::vector<int64_t> layer_bytes(const Model& model, const RunPlan& plan) {
    std::vector<int64_t> bytes(static_cast<size_t>(model.n_layer + 1), 0);
    int64_t embedding = 0;
    for (const Tensor& tensor : model.tensors) {
        size_t layer = bytes.size() - 1;
        if (tensor.name.starts_with("blk.")) {
            const char* const digits = tensor.name.c_str() + 4;
            std::from_chars(digits, tensor.name.c_str() + tensor.name.size(), layer);
        } else if (tensor.name == "token_embd.weight") {
            embedding = tensor.size_bytes;  // stays here
            continue;
        }
        if (layer < bytes.size()) bytes[layer] += tensor.size_bytes;
    }
    if (model.tied_embeddings) bytes.back() += embedding;  // whoever computes the output holds a copy
    for (int64_t i = 0; i < model.n_layer; i++) bytes[static_cast<size_t>(i)] += plan.memory.kv_bytes / model.n_layer;
    return bytes;
}

/// What a machine needs beside its layers.
int64_t beside_bytes(const Model& model, const RunPlan& plan, bool here) {
    if (!here) return plan.memory.compute_bytes;
    const Tensor* const embedding = model.find("token_embd.weight");
    return plan.memory.compute_bytes + plan.memory.runtime_bytes + (embedding != nullptr ? embedding->size_bytes : 0);
}

void check_layers(const Model& model, size_t n_machines, std::span<const int64_t> layers) {
    const int64_t sum = std::accumulate(layers.begin(), layers.end(), int64_t{0});
    if (layers.size() == n_machines && sum == model.n_layer + 1) return;
    throw UsageError(fmt::format(
        "--split {}: wanted a number for this machine and each of {} workers' devices, {} together (the layers and the "
        "output)",
        fmt::join(layers, ","), n_machines - 1, model.n_layer + 1));
}

}  // namespace

Split plan_split(const Model& model, const RunPlan& plan, std::span<const Worker> workers,
                 std::span<const int64_t> layers) {
    const std::vector<int64_t> bytes = layer_bytes(model, plan);
    Split split;
    split.parts.push_back({"this machine", 0, beside_bytes(model, plan, true), plan.budget_bytes});
    for (const Worker& worker : workers)
        split.parts.push_back({worker.endpoint, 0, beside_bytes(model, plan, false), worker.memory_free_bytes});
    if (!layers.empty()) check_layers(model, split.parts.size(), layers);
    size_t next = 0;
    for (size_t i = 0; i < split.parts.size(); i++) {
        SplitPart& part = split.parts[i];
        const auto wants = [&] {
            return layers.empty() ? part.need_bytes + bytes[next] <= part.free_bytes : part.n_layer < layers[i];
        };
        for (; next < bytes.size() && wants(); next++) {
            part.need_bytes += bytes[next];
            part.n_layer++;
        }
        if (i > 0 && part.n_layer > 0)
            split.remote.push_back({workers[i - 1].endpoint, workers[i - 1].device, part.n_layer});
    }
    split.fits = next == bytes.size();
    for (const SplitPart& part : split.parts)
        split.fits = split.fits && (part.n_layer == 0 || part.need_bytes <= part.free_bytes);
    const auto idle = [](const SplitPart& part) { return part.n_layer == 0; };
    split.parts.erase(std::remove_if(split.parts.begin() + 1, split.parts.end(), idle), split.parts.end());
    return split;
}

}  // namespace ech0
