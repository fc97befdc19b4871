// States of llama.cpp: what is read must fit its bytes, and its frame must give the same state again.

#include <cstdint>
#include <cstdlib>
#include <span>

#include "ech0/error.h"
#include "kv/state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ech0::KvState state = ech0::read_kv_state({data, size}, "input");
        for (const ech0::KvTensor* t : ech0::kv_tensors(state))
            if (t->offset_bytes < 0 || t->size_bytes < 0 ||
                t->offset_bytes + t->size_bytes > static_cast<int64_t>(size))
                std::abort();
        const std::string frame = ech0::kv_frame(state);
        if (frame.size() + static_cast<size_t>(state.data_bytes()) != size) std::abort();
        const ech0::KvState again = ech0::read_kv_frame(frame, static_cast<int64_t>(size), "frame");
        if (ech0::kv_frame(again) != frame) std::abort();
    } catch (const ech0::Error&) {}
    return 0;
}
