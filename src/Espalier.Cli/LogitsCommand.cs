using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Models;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier logits</c>.</summary>
internal static class LogitsCommand
{
    // A model that has diverged has such numbers.
    private static readonly JsonSerializerOptions WithNaN = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint, any model in Hugging Face's form, or a run: then its latest checkpoint.",
        };
        var ids = new Option<string>("--ids")
        {
            Description = "Token ids between blanks or commas; `espalier tokenizer encode` makes them of a text.",
            HelpName = "'I J K'",
            Required = true,
        };
        var types = new Option<string>("--types")
        {
            Description = "The segment of each token, for models that know segments (BERT): as many numbers as ids. Default: all 0.",
            HelpName = "'0 0 1'",
        };
        var depth = new DepthOption();
        var options = new ComputeOptions();
        var command = new Verb(
            "logits",
            "Prints what a model makes of some tokens: for each, a line with a JSON array of the scores (logits) of all tokens " +
            "of the vocabulary.")
        {
            checkpoint, ids, types, depth,
        };
        command.Examples = ["espalier logits runs/apollo --ids '464 3290' --precision f32"];
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            Compute compute = options.Of(parsed);
            using LoadedModel loaded = LoadedModel.WithoutTokenizer(parsed.GetValue(checkpoint)!, compute.Device);
            ModelInput input = Input(loaded.Config, parsed.GetValue(ids)!, parsed.GetValue(types), compute.Device);
            using var scope = new TensorScope();
            using var noGradient = new NoGrad();
            using Autocast? autocast = compute.LowerProducts();
            Tensor logits_1TV = ForwardPass.Logits(
                loaded.Model, input, loaded.Plan(parsed.GetValue(depth)));
            float[] logits = logits_1TV.To(ScalarType.Float32, Device.Cpu).ToArray<float>();
            foreach (float[] row in logits.Chunk(loaded.Config.Vocabulary))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(row, WithNaN));
            }

            return 0;
        });
        return command;
    }

    private static ModelInput Input(ModelConfig model, string ids, string? types, Device device)
    {
        long[] tokens = Numbers("--ids", ids, model.Vocabulary);
        if (tokens.Length == 0 || tokens.Length > model.ContextLength)
        {
            throw new UserErrorException(
                $"--ids has {tokens.Length} ids, and the model takes from 1 to {model.ContextLength}.");
        }

        Tensor tokens_1T = Tensor.From<long>(tokens, [1, tokens.Length], device);
        if (types is null)
        {
            return tokens_1T;
        }

        long[] segments = Numbers("--types", types, model.SegmentCount);
        return segments.Length == tokens.Length
            ? new ModelInput(tokens_1T, Tensor.From<long>(segments, [1, segments.Length], device))
            : throw new UserErrorException($"--types has {segments.Length} numbers for {tokens.Length} ids.");
    }

    private static long[] Numbers(string option, string text, int bound) =>
    [
        .. text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries).Select(part =>
            long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number < bound
                ? number
                : throw new UserErrorException($"{option}: '{part}' is no number from 0 to {bound - 1}.")),
    ];
}
