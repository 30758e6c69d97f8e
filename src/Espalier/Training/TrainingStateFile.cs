using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary><c>training_state.json</c>: all of a training state that is no tensor.</summary>
internal sealed class TrainingStateFile
{
    public const string Name = "training_state.json";

    // Format 1 knew of one step count for all parameters, and of growths only how many there were.
    private const int FirstFormat = 1, Format = 2;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        WriteIndented = true,
        RespectRequiredConstructorParameters = true,
    };

    private readonly string _path;
    private readonly Contents _contents;

    private TrainingStateFile(string path, Contents contents) => (_path, _contents) = (path, contents);

    /// <summary>The stored layers that evaluation at full depth executes.</summary>
    public IReadOnlyList<int> FullDepthLayers => _contents.FullDepthLayers;

    /// <summary>What the run's data was made from; null in files that did not say so yet.</summary>
    public string? Data => _contents.Data;

    /// <summary>What the run has cost.</summary>
    public FlopsCount Flops => new(_contents.FlopsLayers, _contents.FlopsAttention, _contents.FlopsHead);

    /// <summary>Seconds of wall time spent in training steps.</summary>
    public double Seconds => _contents.Seconds;

    /// <summary>Where the run stands.</summary>
    /// <param name="plannedGrowths">The growths before a step, by the recipe.</param>
    public TrainingPosition Position(Func<long, IReadOnlyList<GrowthRecord>> plannedGrowths)
    {
        IReadOnlyList<GrowthRecord> growths = _contents.Growths ?? plannedGrowths(_contents.Step);
        return growths.Count == (_contents.GrowthsDone ?? growths.Count)
            ? new TrainingPosition
            {
                Step = _contents.Step,
                Tokens = _contents.Tokens,
                ScheduleStep = _contents.ScheduleStep ?? _contents.Step,
                Growths = growths,
                Losses = _contents.Losses ?? new LossCurve(1),
                Flops = Flops,
                Seconds = Seconds,
            }
            : throw new UserErrorException(
                $"{_path} tells of {_contents.GrowthsDone} growths where the recipe plans {growths.Count} before step {_contents.Step}.");
    }

    /// <summary>Updates of a parameter.</summary>
    public long StepsOf(string parameter) =>
        _contents.OptimizerSteps is long common ? common
        : _contents.Parameters?.GetValueOrDefault(parameter)?.Steps
            ?? throw new UserErrorException($"{_path} tells no step count of {parameter}.");

    /// <summary>What the last growth has added to a parameter.</summary>
    public NewUnits? NewIn(string parameter) =>
        _contents.Parameters?.GetValueOrDefault(parameter) is { IsNew: true } state ? new NewUnits(state.NewPlaces) : null;

    /// <summary>Reads a file.</summary>
    /// <exception cref="UserErrorException">It is damaged, or of a format that this Espalier does not know.</exception>
    public static TrainingStateFile Read(string path)
    {
        var json = JsonFile.ReadObject(path);
        try
        {
            int format = json["format"]!.GetValue<int>();
            if (format is not (FirstFormat or Format))
            {
                throw new UserErrorException(
                    $"{path} has format {format}; this Espalier reads formats {FirstFormat} and {Format}.",
                    "Use the Espalier that wrote it, or a newer one.");
            }

            Contents contents = JsonSerializer.Deserialize<Contents>(json, Options)!;
            return contents.IsWhole ? new TrainingStateFile(path, contents) : throw new FormatException("something is missing");
        }
        catch (Exception exception) when (
            exception is NullReferenceException or InvalidOperationException or FormatException or JsonException)
        {
            throw new UserErrorException($"{path} is not a training state of Espalier.", inner: exception);
        }
    }

    /// <summary>The text of a state.</summary>
    /// <param name="state">The state.</param>
    /// <param name="fullDepth">What evaluation at full depth executes.</param>
    /// <param name="data">What the run's data was made from; null where that is not known.</param>
    public static string Text(TrainingState state, ForwardPlan fullDepth, string? data)
    {
        TrainingPosition position = state.Position;
        var contents = new Contents(
            Format, position.Step, position.Tokens, position.Flops.Layers, position.Flops.Attention, position.Flops.Head,
            position.Seconds, [.. fullDepth.StoredLayers])
        {
            Data = data,
            ScheduleStep = position.ScheduleStep,
            Growths = position.Growths,
            Losses = position.Losses,
            Parameters = state.Optimizer.ToDictionary(pair => pair.Key, pair => new OfParameter(
                pair.Value.Steps, pair.Value.New is not null, pair.Value.New?.Places)),
        };
        return JsonSerializer.Serialize(contents, Options) + "\n";
    }

    private sealed record Contents(
        int Format, long Step, long Tokens, double FlopsLayers, double FlopsAttention, double FlopsHead, double Seconds,
        IReadOnlyList<int> FullDepthLayers)
    {
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Data { get; init; }

        public double? ScheduleStep { get; init; }

        public IReadOnlyList<GrowthRecord>? Growths { get; init; }

        public LossCurve? Losses { get; init; }

        public Dictionary<string, OfParameter>? Parameters { get; init; }

        /// <summary>Whether all that its format has is there.</summary>
        [JsonIgnore]
        public bool IsWhole => Format == FirstFormat
            ? GrowthsDone is not null && OptimizerSteps is not null
            : ScheduleStep is not null && Growths?.All(growth => growth is not null) == true && Losses is not null
                && Parameters is not null;

        /// <summary>Format 1.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public int? GrowthsDone { get; init; }

        /// <summary>Format 1.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public long? OptimizerSteps { get; init; }
    }

    private sealed record OfParameter(
        long Steps,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsNew = false,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<IReadOnlyList<int>?>? NewPlaces = null);
}
