using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// A <c>config.json</c> with the keys of a model's own record, as recipes have them: numbers, words and lists as such, and what has a
/// form of its own as the text that recipes have.
/// </summary>
/// <param name="config">The record.</param>
internal sealed class PlainJson(Type config) : HuggingFaceFormat
{
    public override JsonObject Write(ModelConfig model, Tokenizer tokenizer)
    {
        var json = new JsonObject
        {
            ["bos_token_id"] = tokenizer.BeginOfSequence,
            ["eos_token_id"] = tokenizer.EndOfSequence,
        };
        foreach (ConfigKey key in Keys())
        {
            json[key.Name] = JsonOf(key.Property.GetValue(model));
        }

        return json;
    }

    public override ModelConfig Read(ConfigReader json)
    {
        var model = (ModelConfig)Activator.CreateInstance(config)!;
        foreach (ConfigKey key in Keys())
        {
            JsonNode? value = json.Value(key.Name);
            if (value is null && (key.IsRequired || key.Property.Name == nameof(ModelConfig.VocabularySize)))
            {
                throw json.Missing(key.Name);
            }

            if (value is null)
            {
                continue;
            }

            try
            {
                key.Property.SetValue(model, ConfigValue.Read(key.Property.PropertyType, ConfigOf(value)));
            }
            catch (BadValueException exception)
            {
                throw json.Refused(key.Name, exception.Message, $"{char.ToUpperInvariant(exception.Remedy[0])}{exception.Remedy[1..]}.");
            }
        }

        return model;
    }

    private static JsonNode? JsonOf(object? value) => value switch
    {
        null => null,
        Array list => new JsonArray([.. list.Cast<object>().Select(JsonOf)]),
        bool or int or long or ulong or double or string => JsonSerializer.SerializeToNode(value, value.GetType()),
        _ => ConfigValue.Format(value),
    };

    private static ConfigNode ConfigOf(JsonNode? value) => value switch
    {
        JsonArray list => new ListNode(default, [.. list.Select(ConfigOf)]),
        JsonValue word when word.GetValueKind() == JsonValueKind.String =>
            ConfigNode.Parse(word.ToString(), _ => default, "", new ConfigProblems()) is { } node and not ScalarNode
                ? node : new ScalarNode(default, word.ToString(), IsPlain: false),
        _ => new ScalarNode(default, value?.ToJsonString() ?? "null", IsPlain: true),
    };

    private IEnumerable<ConfigKey> Keys() => ConfigKeys.Of(config).Where(key => !key.IsDiscriminator);
}
