using System.CommandLine;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier export</c>.</summary>
internal static class ExportCommand
{
    private enum WeightType
    {
        F32,
        Bf16,
        F16,
    }

    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint, any model in Hugging Face's form, or a run: then its latest checkpoint.",
        };
        var type = new Option<WeightType>("--dtype")
        {
            Description = "What the weights are rounded to.",
            HelpName = "f32|bf16|f16",
            DefaultValueFactory = _ => WeightType.F32,
        };
        var depth = new Option<int?>("--depth")
        {
            Description = "Layers of the exported model, from those that the checkpoint stores (the default) to those of " +
                "the finished model. At the latter each is the layer that training executes there; between, neighbours repeat.",
            HelpName = "N",
        };
        var output = new OutputFolder();
        var command = new Verb(
            "export", "Writes a model as a folder that Hugging Face's transformers loads: at any depth, in any precision.")
        {
            checkpoint, type, depth, output,
        };
        command.Examples =
        [
            "espalier export runs/apollo --out models/apollo",
            "espalier export runs/apollo/checkpoints/step-00003000 --depth 12 --dtype bf16 --out models/apollo-mid",
        ];
        command.SetAction(parsed =>
        {
            string folder = output.Of(parsed)!;
            using LoadedModel loaded = LoadedModel.Load(parsed.GetValue(checkpoint)!, Device.Cpu);
            Model model = loaded.AtDepth(parsed.GetValue(depth) ?? loaded.Config.Layers);
            SafetensorsDType stored = StoredType(parsed.GetValue(type));
            ModelExport.Write(folder, loaded, model, stored);
            OutputFolder.SayWritten(folder, model, loaded.Tokenizer, stored);
            return 0;
        });
        return command;
    }

    private static SafetensorsDType StoredType(WeightType type) => type switch
    {
        WeightType.Bf16 => SafetensorsDType.BF16,
        WeightType.F16 => SafetensorsDType.F16,
        _ => SafetensorsDType.F32,
    };
}
