using System.CommandLine;
using Espalier.Interop;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier import</c>.</summary>
internal static class ImportCommand
{
    public static Verb Create()
    {
        var source = new Argument<string>("MODEL")
        {
            Description = "A folder in Hugging Face's form: config.json, model.safetensors or shards with an index, a tokenizer; " +
                "or a .safetensors file with config.json beside it.",
        };
        var tokenizer = new Option<string>("--tokenizer")
        {
            Description = "The tokenizer: its file or folder. Default: that of the model's folder.",
            HelpName = "PATH",
        };
        var output = new OutputFolder();
        var command = new Verb(
            "import",
            "Copies a model in Hugging Face's form into one file of f32 weights under today's names, with its tokenizer. " +
            "Other verbs take such a folder as it is: importing checks it once, and makes it alike whatever it came from.")
        {
            source, tokenizer, output,
        };
        command.Examples = ["espalier import downloads/gpt2 --out models/gpt2"];
        command.SetAction(parsed =>
        {
            string folder = output.Of(parsed)!;
            using LoadedModel loaded = LoadedModel.Load(parsed.GetValue(source)!, Device.Cpu, parsed.GetValue(tokenizer));
            foreach (string name in ModelExport.Copy(folder, loaded))
            {
                Console.Error.WriteLine($"note: left out {name}, which Espalier has no use for.");
            }

            OutputFolder.SayWritten(folder, loaded.Model, loaded.Tokenizer, SafetensorsDType.F32);
            return 0;
        });
        return command;
    }
}
