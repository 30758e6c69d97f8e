using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// A tokenizer in a model's folder: <c>tokenizer.json</c>, and for a WordPiece <c>tokenizer_config.json</c>. Without the
/// latter, the class that <c>transformers</c> has for BERT would lower all text, whatever <c>tokenizer.json</c> says.
/// </summary>
internal static class TokenizerFiles
{
    private const string ConfigFile = "tokenizer_config.json";

    /// <summary>Writes the files.</summary>
    /// <exception cref="UserErrorException">A file cannot be written.</exception>
    public static void Write(string folder, ModelConfig model, Tokenizer tokenizer)
    {
        tokenizer.Save(Path.Combine(folder, ModelFolder.TokenizerFile));
        if (tokenizer is WordPiece)
        {
            AtomicFile.Write(
                Path.Combine(folder, ConfigFile),
                Config(model, tokenizer).Indented() + "\n");
        }
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
            ("cls_token", tokenizer.Cls), ("mask_token", tokenizer.Mask), ("pad_token", tokenizer.Pad),
            ("sep_token", tokenizer.Sep), ("unk_token", tokenizer.Unknown),
        })
        {
            if (id is int token)
            {
                json[name] = tokenizer.TokenOf(token);
            }
        }

        return json;
    }
}
