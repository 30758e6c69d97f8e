using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// A tokenizer in a model's folder: <c>tokenizer.json</c> and <c>tokenizer_config.json</c>. Without the latter,
/// <c>transformers</c> would take the class of the model: BERT's lowers all text, Llama's cuts it as SentencePiece does,
/// whatever <c>tokenizer.json</c> says.
/// </summary>
internal static class TokenizerFiles
{
    /// <summary>Writes the files.</summary>
    /// <exception cref="UserErrorException">A file cannot be written.</exception>
    public static void Write(string folder, ModelConfig model, Tokenizer tokenizer)
    {
        tokenizer.Save(Path.Combine(folder, ModelFolder.TokenizerFile));
        AtomicFile.Write(
            Path.Combine(folder, TokenizerConfigFile.FileName),
            Config(model, tokenizer).Indented() + "\n");
    }

    private static JsonObject Config(ModelConfig model, Tokenizer tokenizer)
    {
        JsonObject json = TokenizerConfigFile.Of(tokenizer);
        json["model_max_length"] = model.ContextLength;
        json["model_input_names"] = model.SegmentCount > 1
            ? new JsonArray("input_ids", "token_type_ids", "attention_mask")
            : new JsonArray("input_ids", "attention_mask");
        return json;
    }
}
