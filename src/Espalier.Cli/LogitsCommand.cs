using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Models;
using Espalier.Torch;

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
        var depth = new DepthOption();
        var compute = new ComputeOptions();
        var command = new Verb(
            "logits",
            "Prints what a model makes of some tokens: for each, a line with a JSON array of the scores (logits) of all tokens " +
            "of the vocabulary.")
        {
            checkpoint, ids, depth,
        };
        command.Examples = ["espalier logits runs/apollo --ids '464 3290' --precision f32"];
        compute.AddTo(command);
        command.SetAction(parsed =>
        {
            (Device device, bool mixedPrecision) = compute.Of(parsed);
            using LoadedModel loaded = LoadedModel.WithoutTokenizer(parsed.GetValue(checkpoint)!, device);
            long[] tokens = Ids(parsed.GetValue(ids)!, loaded.Model);
            using var scope = new TensorScope();
            using var noGradient = new NoGrad();
            using Autocast? autocast = mixedPrecision ? new Autocast(device) : null;
            Tensor logits_1TV = Architectures.Of(loaded.Model.ModelType).Logits(
                loaded.Model, loaded.Parameters, Tensor.From<long>(tokens, [1, tokens.Length], device), loaded.Plan(parsed.GetValue(depth)));
            float[] logits = logits_1TV.To(ScalarType.Float32, Device.Cpu).ToArray<float>();
            foreach (float[] row in logits.Chunk(loaded.Model.Vocabulary))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(row, WithNaN));
            }

            return 0;
        });
        return command;
    }

    private static long[] Ids(string text, ModelConfig model)
    {
        string[] parts = text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0 || parts.Length > model.ContextLength)
        {
            throw new UserErrorException(
                $"--ids has {parts.Length} ids, and the model takes from 1 to {model.ContextLength}.");
        }

        return
        [
            .. parts.Select(part =>
                long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long id) && id < model.Vocabulary
                    ? id
                    : throw new UserErrorException($"--ids: '{part}' is no id from 0 to {model.Vocabulary - 1}.")),
        ];
    }
}
