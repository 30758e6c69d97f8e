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

    /// <summary>Asks for the class that takes <c>tokenizer.json</c> as it stands, and says what that does not know.</summary>
    private static JsonObject Config(ModelConfig model, Tokenizer tokenizer)
    {
        var json = new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["model_max_length"] = model.ContextLength,
            ["model_input_names"] = model.SegmentCount > 1
                ? new JsonArray("input_ids", "token_type_ids", "attention_mask")
                : new JsonArray("input_ids", "attention_mask"),
        };
        foreach ((string name, int? id) in new[]
        {
            ("bos_token", tokenizer.BeginOfSequence), ("eos_token", tokenizer.EndOfSequence),
            ("cls_token", tokenizer.Cls), ("mask_token", tokenizer.Mask), ("pad_token", tokenizer.Pad),
            ("sep_token", tokenizer.Sep), ("unk_token", tokenizer.Unknown),
        })
        {
            if (id is int token)
            {
                json[name] = tokenizer.TokenOf(token);
            }
        }

        if (tokenizer.AddsBeginOfSequence)
        {
            json["add_bos_token"] = true;
        }

        return json;
    }
}
