using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// The keys of a <c>config.json</c>. Those that ask for a computation which Espalier does not do are errors; others that it
/// does not know change nothing about the computation, and pass.
/// </summary>
public sealed class ConfigReader
{
    private readonly string _path;
    private readonly JsonObject _json;

    internal ConfigReader(string path, JsonObject json) => (_path, _json) = (path, json);

    /// <summary>A section without keys.</summary>
    internal static ConfigReader Empty { get; } = new("", []);

    /// <summary>A section; null where it is missing, null or empty.</summary>
    public ConfigReader? Section(string key) => _json[key] is JsonObject { Count: > 0 } section ? new ConfigReader($"{_path}: {key}", section) : null;

    /// <summary>A value as it stands there; null where it is missing or null.</summary>
    internal JsonNode? Value(string key) => _json[key];

    /// <summary>The words of a list; none where it is missing or null.</summary>
    public IEnumerable<string> Values(string key) => _json[key] is JsonArray list ? list.Select(item => item?.ToString() ?? "null") : [];

    /// <summary>Why a file cannot be read.</summary>
    public UserErrorException Refused(string key, string what, string hint) => new($"{_path}: {key} {what}.", hint);

    /// <summary>That a key is missing.</summary>
    internal UserErrorException Missing(string key) => new($"{_path}: the key '{key}' is missing.");

    /// <summary>A key that must be there.</summary>
    public T Required<T>(string key) => _json[key] is null
        ? throw Missing(key)
        : Optional<T>(key, default!);

    /// <summary>A key that may be missing or null.</summary>
    public T Optional<T>(string key, T fallback)
    {
        try
        {
            return _json[key] is JsonNode node ? node.GetValue<T>() : fallback;
        }
        catch (Exception exception) when (exception is InvalidOperationException or FormatException)
        {
            throw new UserErrorException(
                $"{_path}: the key '{key}' has the wrong type: {_json[key]!.ToJsonString()}.", inner: exception);
        }
    }

    /// <summary>Refuses a key unless it asks for what is computed anyway; the first of the values is the default.</summary>
    public void Demand<T>(string key, params ReadOnlySpan<T> computed)
        where T : IEquatable<T>
    {
        T asked = Optional(key, computed[0]);
        if (!computed.Contains(asked))
        {
            throw new UserErrorException(
                $"{_path}: {key} is {JsonValue.Create(asked)!.ToJsonString()}.",
                $"Espalier computes such models with {JsonValue.Create(computed[0])!.ToJsonString()} only.");
        }
    }

    /// <summary>Refuses a key that has any content.</summary>
    public void DemandNone(string key)
    {
        if (_json[key] is JsonObject { Count: > 0 } or JsonArray { Count: > 0 } or JsonValue)
        {
            throw new UserErrorException($"{_path}: {key} is set.", "Espalier does not compute such models.");
        }
    }

    /// <summary>The model, if its numbers are within the limits that recipes have too.</summary>
    internal ModelConfig Checked(ModelConfig model)
    {
        foreach (ConfigKey key in ConfigKeys.Of(model.GetType()))
        {
            // A run may begin without layers (late growth); a recipe's final model has some.
            if (model.Layers == 0 && key.Property.Name == nameof(ModelConfig.Layers))
            {
                continue;
            }

            try
            {
                RecordBinder.CheckLimits(key.Property, key.Property.GetValue(model));
            }
            catch (BadValueException exception)
            {
                throw new UserErrorException($"{_path}: {key.Name} {exception.Message}: {exception.Remedy}.", inner: exception);
            }
        }

        return model.HeadProblem() is var (head, what, remedy)
            ? throw new UserErrorException($"{_path}: {head} {what}: {remedy}.") : model;
    }
}
