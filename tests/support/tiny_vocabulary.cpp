#include "support/tiny_vocabulary.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <fmt/format.h>

namespace ech0 {
namespace {

constexpr int32_t normal = 1, unknown = 2, control = 3, byte = 6;  // llama_token_type

const char* const words =
    "the of and to in is it that was for on are with as his they be at one have this from or had by not but what all "
    "were when we there can an your which their said if will each about how up out them then she many some so these "
    "would other into has more her two like him see time could no make than first been its who now people my made over";

std::vector<std::string> word_list() {
    std::istringstream in(words);
    std::vector<std::string> list;
    for (std::string word; in >> word;) list.push_back(word);
    return list;
}

std::string utf8(uint32_t code) {
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};  // enough for two bytes
}

// GPT-2 writes each byte as a printable character: itself if it is one, else one from U+0100 on. Source: openai/gpt-2,
// encoder.py, bytes_to_unicode.
std::vector<std::string> byte_letters() {
    std::vector<std::string> letters(256);
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; b++) {
        const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE);
        letters[b] = utf8(printable ? b : next++);
    }
    return letters;
}

void add(TinyVocabulary& vocabulary, const std::string& token, int32_t type) {
    vocabulary.tokens.push_back(token);
    vocabulary.types.push_back(type);
}

}  // namespace

TinyVocabulary make_bpe_vocabulary(const std::string& pre) {
    TinyVocabulary vocabulary;
    vocabulary.model = "gpt2";
    vocabulary.pre = pre;
    for (const char* special : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) add(vocabulary, special, control);
    const std::vector<std::string> letters = byte_letters();
    for (const std::string& letter : letters) add(vocabulary, letter, normal);

    // " the" is merged from the left: Ġ t, Ġt h, Ġth e.
    std::set<std::string> known;
    for (const std::string& word : word_list()) {
        std::string head = letters[' '];
        for (const char letter : word) {
            const std::string merged = head + letter;
            if (known.insert(merged).second) {
                vocabulary.merges.push_back(head + " " + letter);
                add(vocabulary, merged, normal);
            }
            head = merged;
        }
    }
    vocabulary.bos = 1;
    vocabulary.eos = 2;
    vocabulary.chat_template =
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
        "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    return vocabulary;
}

TinyVocabulary make_sentencepiece_vocabulary() {
    TinyVocabulary vocabulary;
    vocabulary.model = "llama";
    vocabulary.pre = "default";
    for (const char* special : {"<pad>", "<eos>", "<bos>"}) add(vocabulary, special, control);
    add(vocabulary, "<unk>", unknown);
    for (const char* special : {"<start_of_turn>", "<end_of_turn>"}) add(vocabulary, special, control);
    for (int b = 0; b < 256; b++) add(vocabulary, fmt::format("<0x{:02X}>", b), byte);
    vocabulary.scores.resize(vocabulary.tokens.size(), 0.0F);

    const std::string space = "\xe2\x96\x81";  // U+2581, a space in SentencePiece
    std::set<std::string> known;
    const auto learn = [&](const std::string& piece) {
        if (!known.insert(piece).second) return;
        add(vocabulary, piece, normal);
        vocabulary.scores.push_back(-static_cast<float>(known.size()));
    };
    for (const std::string& word : word_list()) {
        std::string head = space;
        for (const char letter : word) learn(head += letter);
    }
    learn(space);
    for (char letter = 'a'; letter <= 'z'; letter++) learn(std::string(1, letter));
    vocabulary.bos = 2;
    vocabulary.eos = 1;
    vocabulary.add_bos = true;
    vocabulary.chat_template =
        "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n' + "
        "message['content'] "
        "+ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}";
    return vocabulary;
}

}  // namespace ech0
