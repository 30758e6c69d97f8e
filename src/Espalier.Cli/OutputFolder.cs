using System.CommandLine;
using System.Globalization;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary><c>--out</c> of the verbs that write a model: a new folder, or an empty one.</summary>
internal sealed class OutputFolder : Option<string>
{
    private const string What = "The model";

    public OutputFolder()
        : base("--out")
    {
        Description = "The folder to write: a new one, or an empty one.";
        HelpName = "DIR";
        Required = true;
    }

    /// <summary>The folder that a command line names, before any work is done for it.</summary>
    /// <exception cref="UserErrorException">There is something in its place, or it cannot be written.</exception>
    public string Of(ParseResult parsed)
    {
        string folder = parsed.GetValue(this)!;
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new UserErrorException(
                $"{folder} is not empty: it is left as it is.", "Name a new folder, or delete this one first.");
        }

        AtomicFolder.Try(folder, What);
        return folder;
    }

    /// <summary>Writes a folder of a model, completely or not at all.</summary>
    /// <inheritdoc cref="AtomicFolder.Write" path="/param"/>
    public static void Write(string folder, Action<string> fill) =>
        AtomicFolder.Write(folder, fill, replace: false, What);

    /// <summary>Writes a model, and says so.</summary>
    /// <inheritdoc cref="ModelFolder.Write"/>
    public static void Write(
        string folder, ModelConfig model, ParameterSet parameters, Tokenizer tokenizer,
        IReadOnlyDictionary<string, Tensor> extras, SafetensorsDType type)
    {
        Write(folder, partial => ModelFolder.Write(partial, model, parameters, tokenizer, extras, type));
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{folder}: {model.Layers} layers, {parameters.ElementCount:N0} parameters in {type.Name().ToLowerInvariant()}, " +
            $"a tokenizer of {tokenizer.VocabularySize:N0} tokens."));
    }
}
