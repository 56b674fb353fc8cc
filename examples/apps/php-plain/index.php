<?php
header('Content-Type: text/plain');
echo 'Ferry ', htmlspecialchars($_GET['to'] ?? 'home'), ' from PHP ', PHP_MAJOR_VERSION, "\n";
