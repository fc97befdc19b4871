#include "model/component.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("a tensor's name tells its component") {
    CHECK(component_of("token_embd.weight") == "token embedding");
    CHECK(component_of("output.weight") == "output");
    CHECK(component_of("output_norm.weight") == "norms");
    CHECK(component_of("blk.0.attn_q.weight") == "attention q");
    CHECK(component_of("blk.127.attn_output.weight") == "attention output");
    CHECK(component_of("blk.3.attn_k_norm.weight") == "norms");
    CHECK(component_of("blk.3.attn_v.bias") == "biases");
    CHECK(component_of("blk.3.ffn_down.weight") == "ffn down");
    CHECK(component_of("blk.3.ffn_gate_inp.weight") == "expert router");
    CHECK(component_of("blk.3.ffn_up_exps.weight") == "experts up");
    CHECK(component_of("rope_freqs.weight") == "other");
    CHECK(component_of("blk.") == "other");
    CHECK(component_of("") == "other");
}

TEST_CASE("components come in the order of the computation and unknown ones last") {
    CHECK(component_rank("token embedding") < component_rank("attention q"));
    CHECK(component_rank("attention q") < component_rank("ffn up"));
    CHECK(component_rank("ffn up") < component_rank("output"));
    CHECK(component_rank("biases") < component_rank("other"));
}
