using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Evaluation;
using Espalier.Growth;

namespace Espalier.Training;

/// <summary>What was grown into what, and what it has left as it was.</summary>
/// <param name="Operator">The operator's name.</param>
/// <param name="Source">The paper that it is from.</param>
/// <param name="From">The sizes before, under the names of the model's own configuration.</param>
/// <param name="To">The sizes after.</param>
/// <param name="ParametersBefore">Trainable numbers before.</param>
/// <param name="ParametersAfter">Trainable numbers after.</param>
/// <param name="Promise">How far the operator promised to leave the scores as they were.</param>
/// <param name="Parity">What was measured; null where no text was given.</param>
/// <param name="LeftOut">What stayed behind: stored tensors, and what an optimizer remembered.</param>
public sealed record GrowthReceipt(
    string Operator, string Source, IReadOnlyDictionary<string, int> From, IReadOnlyDictionary<string, int> To,
    long ParametersBefore, long ParametersAfter, Kept Promise, Parity? Parity, IReadOnlyList<string> LeftOut)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    /// <summary>The receipt as a JSON object.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Options);
}
