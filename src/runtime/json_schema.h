#pragma once

#include <string>
#include <string_view>

namespace ech0 {

/// A grammar (GBNF, root rule "root") whose texts are the JSON values that a JSON schema allows. Known: type (also a
/// list), properties, required, additionalProperties, items, minItems, maxItems, enum, const, anyOf, oneOf, allOf of
/// objects, $ref into the same schema, minLength, maxLength, integer, number, boolean, null. Properties come in the
/// order of the schema. What a grammar can't say (minimum, pattern, format, uniqueItems) is refused rather than
/// ignored.
/// @throws UsageError naming the place in the schema
/// Source: https://json-schema.org/draft/2020-12; GBNF as in llama.cpp's grammars/README.md.
std::string grammar_of_schema(std::string_view schema);

}  // namespace ech0
